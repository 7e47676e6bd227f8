// SPDX-License-Identifier: GPL-2.0-only

//! The measurements of a single API, and the properties of the machine.

#![deny(unsafe_code)]

use super::{
    api::{
        Api,
        FreePagesApi,
        KmallocApi,
        PagesApi,
        VmallocApi, //
    },
    claims::{
        FREE_PAGES,
        KMALLOC,
        PAGES,
        VMALLOC, //
    },
    cost,
    probe,
    sites::Kmallocs,
    table::Table,
    value::Value, //
};
use kalloc::{
    alloc::{
        kmalloc,
        vmalloc, //
    },
    mm::{
        address_space,
        page_info, //
    }, //
    Array,
    KVec as CountedVec,
    Kmalloc,
    Order,
    Zone,
};
use kernel::{
    alloc::flags::{
        __GFP_HIGHMEM,
        __GFP_NOWARN, //
    },
    page::PAGE_SIZE,
    prelude::*, //
};

/// Adds the properties of the machine, on which the other values depend.
pub(crate) fn machine(table: &mut Table) -> Result {
    let levels = u64::from(address_space::paging_levels());
    table.add("machine", "memory", Value::Bytes(vmalloc::max_size()))?;
    table.state("machine", "page_size", Value::Bytes(PAGE_SIZE))?;
    table.add("machine", "paging_levels", Value::Count(levels))?;
    table.add("machine", "clock_tick_ns", Value::Count(cost::tick()))
}

/// Measures the properties that only vmalloc has.
///
/// `cost_ns` is the cost of a pair. The distance between areas is measured only if addresses are
/// not `hidden`.
pub(crate) fn vmalloc(table: &mut Table, cost_ns: u64, hidden: bool) -> Result {
    let area = address_space::area(address_space::VMALLOC).ok_or(ENODEV)?;
    let direct = address_space::area(address_space::DIRECT_MAP).ok_or(ENODEV)?;
    // With the machine's memory, the distance would expose the address of the area.
    let gap = match area.start().checked_sub(direct.last()) {
        Some(distance) if !hidden => Value::Bytes(distance - 1),
        _ => Value::Unknown,
    };
    // The access to the page behind it, or C's error, is not reached.
    let limit = VmallocApi::limit();
    let refused = VmallocApi::zeroed(limit + PAGE_SIZE, GFP_KERNEL | __GFP_NOWARN).is_none();
    let limit = match refused {
        true => Value::Bytes(limit.min(area.size())),
        false => Value::Reached(limit),
    };
    let kmalloc_ns = cost::of(KmallocApi::pair)?;

    table.add(VMALLOC, "limit", limit)?;
    table.add(VMALLOC, "area_size", Value::Bytes(area.size()))?;
    table.add(VMALLOC, "gap_below", gap)?;
    table.state(VMALLOC, "hardirq", Value::Forbidden)?;
    let tenths = cost_ns * 10 / kmalloc_ns;
    table.add(VMALLOC, "cost_vs_kmalloc", Value::Tenths(tenths))
}

/// Measures the properties that only kmalloc has.
pub(crate) fn kmalloc(table: &mut Table) -> Result {
    let sizes = probe::sizes::<KmallocApi>()?;
    let (mut slab, mut complete) = (0, sizes.complete);
    for &size in &sizes.list {
        match KmallocApi::zeroed(size, GFP_KERNEL | __GFP_NOWARN) {
            Some(block) if page_info::is_slab(&block)? => slab = size,
            Some(_) => (),
            None => complete = false,
        }
    }
    let known = |value| if complete { value } else { Value::Unknown };
    let cost = cost::of(|| {
        CountedVec::<u8, Kmallocs>::with_capacity(64, GFP_KERNEL)?;
        Ok(())
    })?;

    table.add(KMALLOC, "cost_ns_64B", Value::Count(cost))?;
    table.add(KMALLOC, "classes", known(Value::Sizes(sizes.list)))?;
    table.add(KMALLOC, "slab_up_to", known(Value::Bytes(slab)))?;
    table.add(KMALLOC, "krealloc_keeps", Value::Flag(krealloc_keeps()?))?;
    for (name, constant) in [
        ("KMALLOC_MIN_SIZE", kmalloc::MIN_SIZE),
        ("KMALLOC_MAX_CACHE_SIZE", kmalloc::MAX_SLAB_SIZE),
        ("KMALLOC_MAX_SIZE", kmalloc::MAX_SIZE),
    ] {
        table.state(KMALLOC, name, Value::Bytes(constant))?;
    }
    Ok(())
}

/// Returns whether a block keeps its contents when it grows and when it shrinks.
fn krealloc_keeps() -> Result<bool> {
    let mut array = Array::<u8, Kmalloc<Kmallocs>>::zeroed(100, GFP_KERNEL)?;
    array.fill(0xa5);
    array.resize(5000, GFP_KERNEL)?;
    let grown = array.iter().position(|&byte| byte != 0xa5) == Some(100);
    array.resize(10, GFP_KERNEL)?;
    Ok(grown && array.len() == 10 && array.iter().all(|&byte| byte == 0xa5))
}

/// Measures the properties that only page blocks have.
pub(crate) fn pages(table: &mut Table) -> Result {
    let high = Zone::of_flags(GFP_KERNEL | __GFP_HIGHMEM).any(|zone| zone == Zone::HighMem);
    table.add(PAGES, "largest_pages", most_pages::<PagesApi>()?)?;
    table.add(PAGES, "highmem", Value::Flag(high))?;
    let order = u64::from(Order::MAX.get());
    table.state(PAGES, "max_order", Value::Count(order))
}

/// Measures the properties that only page blocks by address have.
pub(crate) fn free_pages(table: &mut Table) -> Result {
    let block = FreePagesApi::zeroed(PAGE_SIZE, GFP_KERNEL | __GFP_HIGHMEM).ok_or(ENOMEM)?;
    let high = page_info::zone_of(&block, 0)?.to_bytes() == Zone::HighMem.name().as_bytes();
    table.add(FREE_PAGES, "largest_pages", most_pages::<FreePagesApi>()?)?;
    table.add(FREE_PAGES, "highmem", Value::Flag(high))
}

/// Returns the number of pages of the largest block, or `Unknown` if it cannot be allocated now.
fn most_pages<A: Api>() -> Result<Value> {
    let sizes = probe::sizes::<A>()?;
    Ok(match sizes.list.last() {
        Some(&most) if most == A::limit() => Value::Count((most / PAGE_SIZE) as u64),
        _ => Value::Unknown,
    })
}
