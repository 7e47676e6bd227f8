// SPDX-License-Identifier: GPL-2.0-only

//! Slab caches: the size of an object is part of its type, so that each size has its own cache.

#![deny(unsafe_code)]

use super::{
    claims::CACHE,
    cost,
    probe,
    seen::Seen,
    sites::*,
    table::Table,
    value::Value, //
};
use kalloc::{
    accounting::family,
    slab::{
        Object,
        Options, //
    }, //
    FreePages,
    Gfp,
    KmemCache,
    Order,
    Tag,
    Zone,
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// Measures the properties that all APIs have, and those that only caches have.
///
/// # Errors
///
/// The errors of [`probe::api`].
pub(crate) fn measure(table: &mut Table) -> Result {
    let mut seen = Seen::nothing(Zone::of_flags(GFP_KERNEL))?;
    let sizes = [
        objects::<Cache1, _>(&mut seen)?,
        objects::<Cache24, _>(&mut seen)?,
        objects::<Cache64, _>(&mut seen)?,
        objects::<Cache100, _>(&mut seen)?,
        objects::<Cache4K, _>(&mut seen)?,
        objects::<Cache16K, _>(&mut seen)?,
    ];
    let smallest = sizes.iter().copied().min().unwrap_or(0);
    // The largest power of two that divides all sizes.
    let unit = 1
        << sizes
            .iter()
            .fold(0, |all, size| all | size)
            .trailing_zeros();
    let page_is_page = sizes.contains(&PAGE_SIZE);

    table.add(CACHE, "smallest", Value::Bytes(smallest))?;
    table.add(CACHE, "largest", largest(page_is_page, &mut seen)?)?;
    table.add(CACHE, "unit", Value::Rounded(unit))?;
    seen.report(table, CACHE)?;
    table.add(CACHE, "zeroed_asked", zeroed()?)?;
    probe::flags(table, CACHE)?;
    table.add(CACHE, "preempt_off", preempt_off()?)?;
    table.add(CACHE, "cost_ns", Value::Count(cost_of::<Cache4K>()?))?;
    table.add(CACHE, "cost_ns_64B", Value::Count(cost_of::<Cache64>()?))?;
    table.add(CACHE, "free_gives_back", free_gives_back()?)
}

/// Checks the objects of two slabs of a cache.
///
/// Returns the distance between neighbors: the object size.
fn objects<S, const N: usize>(seen: &mut Seen) -> Result<usize>
where
    S: Tag<Family = family::SlabCache, Object = [u8; N]>,
{
    // A slab of small objects is one page. Other slabs have at most 8 pages, if these hold an
    // object.
    let pages = if N <= PAGE_SIZE / 16 { 2 } else { 16 };
    let count = pages * PAGE_SIZE / N.max(size_of::<usize>());
    let cache = KmemCache::<S>::new(Options::new())?;
    let mut objects = KVVec::with_capacity(count, GFP_KERNEL)?;
    for _ in 0..count {
        objects.push(cache.zeroed(GFP_KERNEL)?, GFP_KERNEL)?;
    }
    let mut places = KVVec::with_capacity(count, GFP_KERNEL)?;
    for object in &objects {
        seen.look_at(&object[..], N)?;
        places.push(object.as_ptr().addr(), GFP_KERNEL)?;
    }
    let after = |a| places.iter().filter_map(move |b: &usize| b.checked_sub(a));
    let distances = places.iter().flat_map(|a| after(*a)).filter(|d| *d != 0);
    distances.min().ok_or(EIO)
}

/// Returns the size of the largest object that can be allocated.
///
/// With metadata around objects, the largest object fits into no slab, and C would log a stack
/// dump. It is not tried in that case.
fn largest(no_metadata: bool, seen: &mut Seen) -> Result<Value> {
    let mut had = SEVERAL_PAGES;
    for (size, look) in [
        (
            256 << 10,
            one::<Cache256K, _> as fn(&mut Seen) -> Result<bool>,
        ),
        (1 << 20, one::<Cache1M, _>),
        (kalloc::alloc::kmalloc::MAX_SIZE, one::<CacheMax, _>),
    ] {
        if size == kalloc::alloc::kmalloc::MAX_SIZE && !no_metadata {
            return Ok(Value::Reached(had));
        }
        if size > probe::budget() || !look(seen)? {
            return Ok(Value::Unknown);
        }
        had = size;
    }
    Ok(Value::Bytes(had))
}

/// Checks one object. Returns false if its allocation fails.
fn one<S, const N: usize>(seen: &mut Seen) -> Result<bool>
where
    S: Tag<Family = family::SlabCache, Object = [u8; N]>,
{
    let cache = KmemCache::<S>::new(Options::new())?;
    let Ok(object) = cache.zeroed(Gfp::KERNEL | Gfp::NOWARN | Gfp::NORETRY) else {
        return Ok(false);
    };
    seen.look_at(&object[..], N)?;
    Ok(true)
}

/// Returns whether a zeroed allocation returns zeroes after its memory was written.
fn zeroed() -> Result<Value> {
    let cache = KmemCache::<Cache64>::new(Options::new())?;
    let mut zeroed = true;
    for _ in 0..100 {
        let mut object = cache.zeroed(GFP_KERNEL)?;
        zeroed &= object.iter().all(|&byte| byte == 0);
        object.fill(0xa5);
    }
    Ok(Value::Flag(zeroed))
}

/// Returns whether an object can be allocated while preemption is disabled.
fn preempt_off() -> Result<Value> {
    let cache = KmemCache::<Cache64>::new(Options::new())?;
    probe::without_preemption(Cache64::site(), || cache.zeroed(probe::atomic()).ok())
}

/// Returns the cost of allocating and freeing an object, without writing to it.
fn cost_of<S: Tag<Family = family::SlabCache, Object: Sized>>() -> Result<u64> {
    let cache = KmemCache::<S>::new(Options::new())?;
    cost::of(|| {
        cache.reserve(GFP_KERNEL)?;
        Ok(())
    })
}

/// Returns whether freeing a cache's only object returns its memory to the page allocator, which
/// then allocates it again soon.
///
/// The memory has not left the cache if the next object has the same address while all pages
/// allocated in between are still held. The result is unknown if a cache holds freed objects back
/// to detect uses after free.
fn free_gives_back() -> Result<Value> {
    let cache = KmemCache::<Cache64>::new(Options::new())?;
    let place = |object: &Object<'_, Cache64>| object.as_ptr().addr();
    // Migration to another CPU, with other free objects and pages, spoils an attempt.
    for _ in 0..20 {
        let before = place(&cache.zeroed(GFP_KERNEL)?);
        let mut pages = KVec::with_capacity(16, GFP_KERNEL)?;
        for _ in 0..16 {
            let page = FreePages::<FreeBlocks>::zeroed(Order::ZERO, GFP_KERNEL)?;
            if page
                .as_ptr_range()
                .contains(&core::ptr::without_provenance(before))
            {
                return Ok(Value::Flag(true));
            }
            pages.push(page, GFP_KERNEL)?;
        }
        if place(&cache.zeroed(GFP_KERNEL)?) == before {
            return Ok(Value::Flag(false));
        }
    }
    Ok(Value::Unknown)
}
