// SPDX-License-Identifier: GPL-2.0

//! What the textbook says.
//!
//! Claims only: whether one holds is found out by comparing it with what was measured.

#![deny(unsafe_code)]

use super::value::Value;
use kalloc::mm::address_space;
use kernel::prelude::*;

/// The names that the table has for the APIs.
pub(crate) const VMALLOC: &str = "vmalloc";
pub(crate) const KMALLOC: &str = "kmalloc";
pub(crate) const CACHE: &str = "kmem_cache";
pub(crate) const FREE_PAGES: &str = "__get_free_pages";
pub(crate) const PAGES: &str = "alloc_pages";

/// What is claimed, and how it comes if it is not so.
pub(crate) struct Claim {
    pub(crate) value: Value,
    pub(crate) otherwise: &'static str,
}

/// Returns what the textbook says of a property; none if nothing.
pub(crate) fn of(api: &str, property: &str) -> Result<Option<Claim>> {
    use Value::*;

    const FOUR_MIB: usize = 4 << 20;
    const NO_BLOCK: &str = "MAX_PAGE_ORDER is another here";
    const LOWER: &str = "GFP_KERNEL is the normal zone or a lower one, as the machine has memory";

    let (value, otherwise) = match (api, property) {
        (VMALLOC, "contiguous") => (Flag(false), "it is in the direct map"),
        (_, "contiguous") => (Flag(true), "its pages do not follow one another"),

        (KMALLOC, "smallest") => (Bytes(64), "the smallest class is KMALLOC_MIN_SIZE"),
        (CACHE, "smallest") => (
            Bytes(64),
            "an object takes its size, rounded up to its alignment",
        ),
        (KMALLOC | CACHE, "largest") => (Bytes(FOUR_MIB), "KMALLOC_MAX_SIZE is another here"),
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
        (KMALLOC, "KMALLOC_MIN_SIZE") => (Bytes(64), "it is the architecture's choice"),
        (KMALLOC, "KMALLOC_MAX_SIZE") => (Bytes(FOUR_MIB), NO_BLOCK),
        (KMALLOC, "slab_up_to") => (
            Bytes(FOUR_MIB),
            "blocks above KMALLOC_MAX_CACHE_SIZE come from the page allocator",
        ),

        (VMALLOC | FREE_PAGES | PAGES, "unit") => (Page, "blocks are not whole pages"),
        (KMALLOC, "unit") => (Powers(KVec::new()), "some classes are no power of two"),
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
            "how far the areas are apart follows from the page tables and KASLR",
        ),
        (VMALLOC, "may_sleep") => (Flag(true), "GFP_KERNEL does not sleep here"),
        (VMALLOC, "preempt_off") => (
            Flag(false),
            "it can be had with GFP_ATOMIC; vmalloc() itself may sleep",
        ),
        (VMALLOC, "preempt_off_sleeping" | "hardirq") => (Flag(false), "it is allowed"),
        (VMALLOC, "cost_vs_kmalloc") => (More, "it is as fast as kmalloc"),

        (KMALLOC, "krealloc_keeps") => (Flag(true), "contents were lost"),
        (CACHE, "free_gives_back") => (Flag(false), "the memory was gone after the free"),
        _ => return Ok(None),
    };
    Ok(Some(Claim { value, otherwise }))
}

fn zones(names: &[&'static str]) -> Result<Value> {
    let mut zones = KVec::new();
    zones.extend_from_slice(names, GFP_KERNEL)?;
    Ok(Value::Zones(zones))
}
