// SPDX-License-Identifier: GPL-2.0-only

//! Counting of allocations, frees and failures at a site, by its unit and its family.

use super::{
    unit, //
    Family,
    Site,
    Tag,
};
use crate::{
    accounting::{
        size_histogram::SizeBin,
        stats::counter, //
    },
    sys::gfp::Gfp, //
};

/// Counts a block that was allocated for `S`: `size` bytes, not 0, which take `footprint` bytes.
#[inline(always)]
pub(crate) fn count_alloc<S: Tag>(size: usize, footprint: usize) {
    if unit::<S>() != 0 && size == unit::<S>() && !S::Family::VARIES {
        // SAFETY: This counts the allocated object once.
        return unsafe { S::count_object::<{ counter::UNIT_ALLOCS }>() };
    }
    let counters = S::site().counters();
    if unit::<S>() == 0 {
        // SAFETY: The site belongs to `S`, and so has no unit either.
        unsafe { counters.count_sized::<{ counter::SIZED_ALLOCS }>(bucket::<S>(size)) };
    } else {
        counters.count::<{ counter::ALLOCS }>();
    }
    // The compiler removes this where all blocks are full.
    if (unit::<S>() != 0 || S::Family::CLASS_SIZE.is_none()) && footprint != size {
        counters.add::<{ counter::SLACK_IN }>((footprint - size) as u64);
    }
    counters.add::<{ counter::BYTES_IN }>(size as u64);
}

/// Counts a block of `S` that is about to be freed: `size` bytes, which take `footprint` bytes.
#[inline(always)]
pub(crate) fn count_free<S: Tag>(size: usize, footprint: usize) {
    if unit::<S>() != 0 && size == unit::<S>() && !S::Family::VARIES {
        // SAFETY: This counts the freed object once.
        return unsafe { S::count_object::<{ counter::UNIT_FREES }>() };
    }
    let counters = S::site().counters();
    if unit::<S>() == 0 {
        // SAFETY: The site belongs to `S`, and so has no unit either.
        unsafe { counters.count_sized::<{ counter::SIZED_FREES }>(bucket::<S>(size)) };
    } else {
        counters.count::<{ counter::FREES }>();
    }
    // The compiler removes this where all blocks are full.
    if (unit::<S>() != 0 || S::Family::CLASS_SIZE.is_none()) && footprint != size {
        counters.add::<{ counter::SLACK_OUT }>((footprint - size) as u64);
    }
    counters.add::<{ counter::BYTES_OUT }>(size as u64);
}

/// Counts a block at a site without a unit: its allocation, or its free.
pub(crate) fn count_block(site: &Site, size: usize, footprint: usize, freed: bool) {
    let counters = site.counters();
    let bucket = SizeBin::of(size.clamp(1, SizeBin::MAX_SIZE));
    let slack = if site.has_classes() {
        0
    } else {
        footprint.saturating_sub(size)
    } as u64;
    // SAFETY: The caller's site has no unit.
    unsafe {
        if freed {
            counters.count_sized::<{ counter::SIZED_FREES }>(bucket);
            counters.add::<{ counter::SLACK_OUT }>(slack);
            counters.add::<{ counter::BYTES_OUT }>(size as u64);
        } else {
            counters.count_sized::<{ counter::SIZED_ALLOCS }>(bucket);
            counters.add::<{ counter::SLACK_IN }>(slack);
            counters.add::<{ counter::BYTES_IN }>(size as u64);
        }
    }
}

/// Counts `blocks` blocks allocated for `S`, which has no unit. Each has `size` bytes, and is full.
#[inline]
pub(crate) fn count_allocs<S: Tag>(blocks: usize, size: usize) {
    const { assert!(unit::<S>() == 0) };
    let counters = S::site().counters();
    // SAFETY: The site belongs to `S`, and so has no unit either.
    unsafe { counters.add_sized::<{ counter::SIZED_ALLOCS }>(bucket::<S>(size), blocks as u64) };
    counters.add::<{ counter::BYTES_IN }>((blocks * size) as u64);
}

/// Counts `blocks` blocks of `S`, which has no unit, that are about to be freed. Each has `size`
/// bytes, and is full.
#[inline]
pub(crate) fn count_frees<S: Tag>(blocks: usize, size: usize) {
    const { assert!(unit::<S>() == 0) };
    let counters = S::site().counters();
    // SAFETY: The site belongs to `S`, and so has no unit either.
    unsafe { counters.add_sized::<{ counter::SIZED_FREES }>(bucket::<S>(size), blocks as u64) };
    counters.add::<{ counter::BYTES_OUT }>((blocks * size) as u64);
}

/// Returns the bucket of a block's size.
#[inline(always)]
fn bucket<S: Tag>(size: usize) -> SizeBin {
    if S::Family::MAX_SIZE > SizeBin::MAX_SIZE {
        SizeBin::of(size.min(SizeBin::MAX_SIZE))
    } else {
        SizeBin::of(size)
    }
}

/// Counts a failed allocation for `S`: an invalid request if `invalid`, else a lack of memory.
#[cold]
pub(crate) fn count_failure<S: Tag>(gfp: Gfp, invalid: bool) {
    let counters = S::site().counters();
    if invalid {
        counters.count::<{ counter::INVALID }>();
    } else if gfp.may_sleep() {
        counters.count::<{ counter::NO_MEMORY }>();
    } else {
        counters.count::<{ counter::NO_WAIT }>();
    }
}
