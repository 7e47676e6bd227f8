// SPDX-License-Identifier: GPL-2.0-only

//! Options of a new cache: `struct kmem_cache_args` and the flags in C.
//!
//! Two kinds of flags are not available: `SLAB_PANIC`, which stops the machine instead of returning
//! an error, and the debugging flags, which belong on the kernel's command line. `SLAB_NO_MERGE` is
//! always set, because a merged cache would have no row in slabinfo.

use crate::sys::{
    bindings,
    kmem_cache::Spec, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// The options of a new cache (`struct kmem_cache_args` in C).
///
/// # Examples
///
/// ```
/// use kalloc::{slab::Options, KmemCache};
///
/// kalloc::sites! {
///     Inodes: cache([u64; 50]), "doc_options";
///     Keys: cache([u8; 32]), "doc_options_keys";
/// }
///
/// const OPTIONS: Options = Options::new().hwcache_align().sheaf_capacity(128);
/// // Objects that users cause to be allocated are charged to them, and can be reclaimed.
/// let inodes = KmemCache::<Inodes>::new(OPTIONS.account().reclaimable())?;
/// assert_eq!(inodes.zeroed(GFP_KERNEL)?.first(), Some(&0));
///
/// // Keys must never reach user space, and have the alignment of a device.
/// let keys = KmemCache::<Keys>::new(Options::new().no_usercopy().align(512))?;
/// assert_eq!(keys.zeroed(GFP_KERNEL)?.as_ptr().addr() % 512, 0);
/// assert!(Options::MAX_SHEAF_CAPACITY >= 128);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    flags: bindings::slab_flags_t,
    align: Option<usize>,
    sheaf_capacity: Option<usize>,
    no_usercopy: bool,
}

impl Options {
    /// The maximum of [`sheaf_capacity`](Self::sheaf_capacity).
    ///
    /// A sheaf is an array of pointers with a short header. A sheaf of this capacity fits into
    /// kmalloc's largest size class.
    pub const MAX_SHEAF_CAPACITY: usize = 1000;

    /// Returns the defaults: the alignment of the type, and no flags.
    pub const fn new() -> Self {
        Options {
            flags: 0,
            align: None,
            sheaf_capacity: None,
            no_usercopy: false,
        }
    }

    /// Aligns objects to `align` bytes, or to the alignment of their type if that is larger.
    ///
    /// `align` must be a power of two, and at most a page.
    pub const fn align(self, align: usize) -> Self {
        Options {
            align: Some(align),
            ..self
        }
    }

    /// Aligns objects to cache lines (`SLAB_HWCACHE_ALIGN`). Small objects are aligned to a
    /// fraction of a line, so that as few as possible cross a line.
    pub const fn hwcache_align(self) -> Self {
        self.with(bindings::SLAB_HWCACHE_ALIGN)
    }

    /// Charges objects to the allocating task's memory cgroup (`SLAB_ACCOUNT`).
    pub const fn account(self) -> Self {
        self.with(bindings::SLAB_ACCOUNT)
    }

    /// Groups and counts slabs as reclaimable (`SLAB_RECLAIM_ACCOUNT`).
    pub const fn reclaimable(self) -> Self {
        self.with(bindings::SLAB_RECLAIM_ACCOUNT)
    }

    /// Sets the number of free objects that each CPU keeps, at least, in each of two sheaves.
    ///
    /// `capacity` is from 1 to [`MAX_SHEAF_CAPACITY`](Self::MAX_SHEAF_CAPACITY). Without this
    /// option, the kernel chooses a capacity. A cache that the kernel debugs has no sheaves.
    pub const fn sheaf_capacity(self, capacity: usize) -> Self {
        Options {
            sheaf_capacity: Some(capacity),
            ..self
        }
    }

    /// Forbids copies of objects to and from user space. Without this option, the whole object may
    /// be copied; see [`KmemCache::with_usercopy`](super::KmemCache::with_usercopy).
    pub const fn no_usercopy(self) -> Self {
        Options {
            no_usercopy: true,
            ..self
        }
    }

    const fn with(self, flag: bindings::slab_flags_t) -> Self {
        Options {
            flags: self.flags | flag,
            ..self
        }
    }

    /// Returns the specification of a cache of `T`s with these options.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if the alignment or the sheaf capacity is out of range.
    pub(super) fn spec<T>(self) -> Result<Spec> {
        const {
            assert!(
                size_of::<T>() > 0,
                "a slab cache cannot have objects of no size"
            );
            assert!(
                size_of::<T>() <= crate::alloc::kmalloc::MAX_SIZE,
                "a slab cache cannot have objects above KMALLOC_MAX_SIZE"
            );
        }
        let align = self.align.unwrap_or(1);
        let sheaf_capacity = self.sheaf_capacity.unwrap_or(1);
        if !align.is_power_of_two()
            || align > PAGE_SIZE
            || !(1..=Self::MAX_SHEAF_CAPACITY).contains(&sheaf_capacity)
        {
            return Err(EINVAL);
        }
        // CAST: The size is checked above to be at most `KMALLOC_MAX_SIZE`, and the alignment of a
        // type is no larger than a size that is not 0.
        let size = size_of::<T>() as u32;
        Ok(Spec {
            size,
            // CAST: The alignment is at most that of the type or `PAGE_SIZE`.
            align: align.max(align_of::<T>()) as u32,
            flags: self.flags,
            // CAST: The capacity is at most `MAX_SHEAF_CAPACITY`. 0 makes the kernel choose one.
            sheaf_capacity: self.sheaf_capacity.map_or(0, |_| sheaf_capacity as u32),
            usercopy: if self.no_usercopy { 0..0 } else { 0..size },
            constructor: None,
            free_pointer: None,
        })
    }
}
