// SPDX-License-Identifier: GPL-2.0

//! The size classes of kmalloc.
//!
//! Where C knows a size when compiling, an inline function that Rust cannot call chooses the class;
//! where it does not, C looks the class up in a table at every call. Here one table serves both: what
//! it is asked is the [`SizeBin`] of the size, which is a constant if the size is one, and which is
//! needed anyhow to count the block.

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

/// A size class; above [`MAX_SLAB_SIZE`], a power of two of bytes.
///
/// # Invariants
///
/// The number is C's (see `__kmalloc_index()`): that of a class, or, above those, the logarithm of the
/// size.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class(u8);

impl Class {
    const ALL: [Class; SizeBin::COUNT] = {
        let mut all = [Class(0); SizeBin::COUNT];
        let mut i = 0;
        while i < SizeBin::COUNT {
            let bucket = SizeBin::nth(i);
            // INVARIANT: Sizes of one bucket are all in the class of the largest of them.
            all[bucket.index()] = Class(number(bucket.up_to()));
            i += 1;
        }
        all
    };

    /// The class of `size` bytes, from 1 to [`MAX_SIZE`].
    #[inline(always)]
    pub(crate) const fn of(size: usize) -> Class {
        Self::ALL[SizeBin::of(size).index()]
    }

    /// The size of its blocks.
    #[inline(always)]
    pub(crate) fn size(self) -> usize {
        if bindings::CLASSES_VARY && self.0 <= Self::of(MAX_SLAB_SIZE).0 {
            // GFP: Chooses a cache; nothing is allocated.
            // SAFETY: There is a cache for each class, made at boot, and never changed.
            let size = unsafe { bindings::kmem_cache_size(self.cache(Gfp::KERNEL)) };
            // CAST: At most `MAX_SLAB_SIZE`.
            return size as usize;
        }
        self.nominal_size()
    }

    /// The size of its blocks, where the machine has all classes.
    #[inline(always)]
    const fn nominal_size(self) -> usize {
        match self.0 {
            1 => 96,
            2 => 192,
            // OVERFLOW: By the invariants it is the logarithm of a size. To say that nothing is checked
            // here lets the compiler forget a footprint that nobody needs.
            log => 1_usize.wrapping_shl(log as u32),
        }
    }

    /// The slab cache that has its blocks for `gfp`.
    ///
    /// # Safety
    ///
    /// The class must be that of at most [`MAX_SLAB_SIZE`] bytes.
    #[inline(always)]
    pub(crate) unsafe fn cache(self, gfp: Gfp) -> *mut bindings::kmem_cache {
        // SAFETY: There are caches of each type for each class of such sizes, made at boot, and never
        // changed.
        unsafe {
            *(&raw const bindings::kmalloc_caches[class_type(gfp)])
                .cast::<*mut bindings::kmem_cache>()
                .add(self.0 as usize)
        }
    }
}

/// The number of the class that serves `size` bytes.
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
    // CAST: At most 64.
    (usize::BITS - (size - 1).leading_zeros()) as u8
}

/// Returns the kind of class that serves `gfp`: see `kmalloc_type()`.
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
    // Mostly it is the first, and one test shows it.
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

// Every size has the class that C's inline function chooses, and one that C has.
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
