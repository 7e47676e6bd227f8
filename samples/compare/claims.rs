// SPDX-License-Identifier: GPL-2.0-only

//! Claims of the textbook.
//!
//! Each claim is compared with a measured value, which decides if the claim holds.

#![deny(unsafe_code)]

use super::value::Value;
use kalloc::mm::address_space;
use kernel::prelude::*;

/// The names of the APIs in the table.
pub(crate) const VMALLOC: &str = "vmalloc";
pub(crate) const KMALLOC: &str = "kmalloc";
pub(crate) const CACHE: &str = "kmem_cache";
pub(crate) const FREE_PAGES: &str = "__get_free_pages";
pub(crate) const PAGES: &str = "alloc_pages";

/// A claimed value, and an explanation for the case that the claim does not hold.
pub(crate) struct Claim {
    pub(crate) value: Value,
    pub(crate) otherwise: &'static str,
}

/// Returns the textbook's claim about a property, or `None` if it makes none.
pub(crate) fn of(api: &str, property: &str) -> Result<Option<Claim>> {
    use Value::*;

    const FOUR_MIB: usize = 4 << 20;
    const NO_BLOCK: &str = "MAX_PAGE_ORDER has another value";
    const LOWER: &str = "GFP_KERNEL allows the normal zone and the lower ones";

    let (value, otherwise) = match (api, property) {
        (VMALLOC, "contiguous") => (Flag(false), "it is in the direct map"),
        (_, "contiguous") => (Flag(true), "its pages are not contiguous"),

        (KMALLOC, "smallest") => (Bytes(64), "the smallest class is KMALLOC_MIN_SIZE"),
        (CACHE, "smallest") => (
            Bytes(64),
            "an object takes its size, rounded up to its alignment",
        ),
        (KMALLOC | CACHE, "largest") => (Bytes(FOUR_MIB), "KMALLOC_MAX_SIZE has another value"),
        (FREE_PAGES | PAGES, "largest") => (Bytes(FOUR_MIB), NO_BLOCK),
        (FREE_PAGES | PAGES, "largest_pages") => (Count(1024), NO_BLOCK),
        (PAGES, "max_order") => (Count(10), NO_BLOCK),
        (VMALLOC, "limit") => (
            Bytes(
                address_space::area(address_space::VMALLOC)
                    .ok_or(ENODEV)?
                    .size(),
            ),
            "no block is larger than the machine's memory",
        ),
        (KMALLOC, "KMALLOC_MIN_SIZE") => (Bytes(64), "the architecture chooses it"),
        (KMALLOC, "KMALLOC_MAX_SIZE") => (Bytes(FOUR_MIB), NO_BLOCK),
        (KMALLOC, "slab_up_to") => (
            Bytes(FOUR_MIB),
            "blocks above KMALLOC_MAX_CACHE_SIZE come from the page allocator",
        ),

        (VMALLOC | FREE_PAGES | PAGES, "unit") => (Page, "blocks are not whole pages"),
        (KMALLOC, "unit") => (Powers(KVec::new()), "some classes are not powers of two"),
        (CACHE, "unit") => (Aligned, "objects are packed"),

        (KMALLOC | CACHE | FREE_PAGES, "zones") => (zones(&["Normal"])?, LOWER),
        (PAGES, "zones") => (zones(&["Normal", "HighMem"])?, LOWER),
        (FREE_PAGES, "highmem") => (Flag(false), "__GFP_HIGHMEM is not masked"),
        (PAGES, "highmem") => (
            Flag(true),
            "all memory is in the direct map: there is no high memory",
        ),

        (VMALLOC, "region") => (Area(address_space::VMALLOC), "it is in another area"),
        (VMALLOC, "gap_below") => (
            Bytes(8 << 20),
            "the page tables and KASLR determine the distance of the areas",
        ),
        (VMALLOC, "may_sleep") => (Flag(true), "GFP_KERNEL does not sleep here"),
        (VMALLOC, "preempt_off") => (
            Flag(false),
            "it succeeds with GFP_ATOMIC; vmalloc() itself may sleep",
        ),
        (VMALLOC, "preempt_off_sleeping" | "hardirq") => (Flag(false), "it is allowed"),
        (VMALLOC, "cost_vs_kmalloc") => (More, "it is as fast as kmalloc"),

        (KMALLOC, "krealloc_keeps") => (Flag(true), "contents were lost"),
        (CACHE, "free_gives_back") => (Flag(false), "the free returned the memory"),
        _ => return Ok(None),
    };
    Ok(Some(Claim { value, otherwise }))
}

fn zones(names: &[&'static str]) -> Result<Value> {
    let mut zones = KVec::new();
    zones.extend_from_slice(names, GFP_KERNEL)?;
    Ok(Value::Zones(zones))
}
