// SPDX-License-Identifier: GPL-2.0-only

//! The size classes of kmalloc.
//!
//! If the C compiler knows a size at compile time, an inline function chooses the class; Rust
//! cannot call it. Otherwise C looks the class up in a table at every call. Here one table serves
//! both cases. Its index is the [`SizeBin`] of the size, which is a constant if the size is one,
//! and which counting the block needs, too.

use super::{
    MAX_SIZE,
    MAX_SLAB_SIZE,
    MIN_SIZE, //
};
use crate::{
    accounting::size_histogram::SizeBin,
    sys::{
        bindings,
        gfp::Gfp, //
    }, //
};

/// A size class: an index into C's `kmalloc_caches`, or, above [`MAX_SLAB_SIZE`], a power of two of
/// bytes.
///
/// # Invariants
///
/// The number is C's (see `__kmalloc_index()`): that of a class, or, above the classes, the base-2
/// logarithm of the size.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class(u8);

impl Class {
    const ALL: [Class; SizeBin::COUNT] = {
        let mut all = [Class(0); SizeBin::COUNT];
        let mut i = 0;
        while i < SizeBin::COUNT {
            let bucket = SizeBin::nth(i);
            // INVARIANT: All sizes of a bucket are in the class of the bucket's largest size.
            all[bucket.index()] = Class(number(bucket.up_to()));
            i += 1;
        }
        all
    };

    /// Returns the class of `size` bytes, from 1 to [`MAX_SIZE`].
    #[inline(always)]
    pub(crate) const fn of(size: usize) -> Class {
        Self::ALL[SizeBin::of(size).index()]
    }

    /// Returns the size of the class's blocks.
    #[inline(always)]
    pub(crate) fn size(self) -> usize {
        if bindings::CLASSES_VARY && self.0 <= Self::of(MAX_SLAB_SIZE).0 {
            // GFP: The flags only choose a cache; nothing is allocated.
            // SAFETY: The kernel makes a cache for each class at boot, and never changes or
            // destroys it.
            let size = unsafe { bindings::kmem_cache_size(self.cache(Gfp::KERNEL)) };
            // CAST: The size is at most `MAX_SLAB_SIZE`.
            return size as usize;
        }
        self.nominal_size()
    }

    /// Returns the size of the class's blocks on a machine that has all classes.
    #[inline(always)]
    const fn nominal_size(self) -> usize {
        match self.0 {
            1 => 96,
            2 => 192,
            // OVERFLOW: By the type invariants, `log` is the logarithm of a size. Without an
            // overflow check, the compiler can remove the computation of an unused footprint.
            log => 1_usize.wrapping_shl(log as u32),
        }
    }

    /// Returns the slab cache that serves the class's blocks for `gfp`.
    ///
    /// # Safety
    ///
    /// The class must be that of a size of at most [`MAX_SLAB_SIZE`] bytes.
    #[inline(always)]
    pub(crate) unsafe fn cache(self, gfp: Gfp) -> *mut bindings::kmem_cache {
        // SAFETY: The caller guarantees a class of a slab. The kernel makes caches of each type for
        // each such class at boot, and never changes the array.
        unsafe {
            *(&raw const bindings::kmalloc_caches[class_type(gfp)])
                .cast::<*mut bindings::kmem_cache>()
                .add(self.0 as usize)
        }
    }
}

/// Returns the number of the class that serves `size` bytes.
const fn number(size: usize) -> u8 {
    if size <= MIN_SIZE {
        return bindings::KMALLOC_SHIFT_LOW as u8;
    }
    if MIN_SIZE <= 32 && size > 64 && size <= 96 {
        return 1;
    }
    if MIN_SIZE <= 64 && size > 128 && size <= 192 {
        return 2;
    }
    // CAST: The number is at most 64.
    (usize::BITS - (size - 1).leading_zeros()) as u8
}

/// Returns the type of cache that serves `gfp`: see `kmalloc_type()`.
#[inline(always)]
const fn class_type(gfp: Gfp) -> usize {
    const OTHERS: u32 = bindings::__GFP_RECLAIMABLE
        | if cfg!(CONFIG_ZONE_DMA) {
            bindings::__GFP_DMA
        } else {
            0
        }
        | if cfg!(CONFIG_MEMCG) {
            bindings::__GFP_ACCOUNT
        } else {
            0
        };
    let gfp = gfp.as_raw();
    // Most flags select the first type, which needs only one test.
    (if gfp & OTHERS == 0 {
        bindings::kmalloc_cache_type_KMALLOC_NORMAL
    } else if cfg!(CONFIG_ZONE_DMA) && gfp & bindings::__GFP_DMA != 0 {
        bindings::kmalloc_cache_type_KMALLOC_DMA
    } else if gfp & bindings::__GFP_RECLAIMABLE != 0 {
        bindings::kmalloc_cache_type_KMALLOC_RECLAIM
    } else {
        bindings::kmalloc_cache_type_KMALLOC_CGROUP
    }) as usize
}

// Checks that every size has the class that C's inline function chooses, and that C has this class.
const _: () = {
    let mut size = 1;
    while size <= MAX_SLAB_SIZE {
        assert!(Class::of(size).0 == number(size));
        size += 1;
    }
    assert!(
        (Class::of(MAX_SLAB_SIZE).0 as usize)
            < size_of::<bindings::kmem_buckets>() / size_of::<usize>()
    );
    assert!(Class::of(MAX_SLAB_SIZE).nominal_size() == MAX_SLAB_SIZE);
    assert!(Class::of(MAX_SLAB_SIZE + 1).nominal_size() == 2 * MAX_SLAB_SIZE);
    assert!(Class::of(MAX_SIZE).nominal_size() == MAX_SIZE);
};
