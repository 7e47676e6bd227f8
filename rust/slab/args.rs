// SPDX-License-Identifier: GPL-2.0

//! How a cache is made: what `struct kmem_cache_args` and the flags say in C.
//!
//! Not offered are `SLAB_PANIC`, which ends the machine where an error would do, and the debugging
//! flags, which are for the kernel's command line. `SLAB_NO_MERGE` is always set: merged with another
//! one, a cache would have no row in slabinfo.

use crate::sys::{
    bindings,
    kmem_cache::Spec, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// How a cache is made.
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
/// // What users cause to be allocated is charged to them, and can be reclaimed.
/// let inodes = KmemCache::<Inodes>::new(OPTIONS.account().reclaimable())?;
/// assert_eq!(inodes.zeroed(GFP_KERNEL)?.first(), Some(&0));
///
/// // What no process is to see, where a device wants it.
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
    /// The most that [`sheaf_capacity`](Self::sheaf_capacity) can be. A sheaf is an array of pointers
    /// with a short header; one of this capacity is the largest that kmalloc has a size class for.
    pub const MAX_SHEAF_CAPACITY: usize = 1000;

    /// The defaults: aligned as the type, nothing else.
    pub const fn new() -> Self {
        Options {
            flags: 0,
            align: None,
            sheaf_capacity: None,
            no_usercopy: false,
        }
    }

    /// Objects are aligned to `align` bytes, or as their type if that is more. It must be a power of
    /// two, and at most a page.
    pub const fn align(self, align: usize) -> Self {
        Options {
            align: Some(align),
            ..self
        }
    }

    /// Objects start at a cache line (`SLAB_HWCACHE_ALIGN`); small ones at a part of one, so that no
    /// more of them cross a line than must.
    pub const fn hwcache_align(self) -> Self {
        self.with(bindings::SLAB_HWCACHE_ALIGN)
    }

    /// Objects are charged to the allocating task's memory cgroup (`SLAB_ACCOUNT`).
    pub const fn account(self) -> Self {
        self.with(bindings::SLAB_ACCOUNT)
    }

    /// Slabs are grouped and counted as reclaimable (`SLAB_RECLAIM_ACCOUNT`).
    pub const fn reclaimable(self) -> Self {
        self.with(bindings::SLAB_RECLAIM_ACCOUNT)
    }

    /// Each CPU keeps at least so many free objects at hand, in each of two arrays called sheaves: from
    /// 1 to [`MAX_SHEAF_CAPACITY`](Self::MAX_SHEAF_CAPACITY). The kernel has sheaves without being
    /// asked, and none for a cache that it debugs.
    pub const fn sheaf_capacity(self, capacity: usize) -> Self {
        Options {
            sheaf_capacity: Some(capacity),
            ..self
        }
    }

    /// Nothing of an object may be copied to or from user space. Without this, all of it may; see
    /// [`KmemCache::with_usercopy`](super::KmemCache::with_usercopy).
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

    /// What a cache of `T`s with these options is to be.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if the alignment or the sheaves' capacity is out of range.
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
        // CAST: Checked above to be at most `KMALLOC_MAX_SIZE`; a type's alignment is no larger than
        // a size that is not 0.
        let size = size_of::<T>() as u32;
        Ok(Spec {
            size,
            // CAST: As above, and at most `PAGE_SIZE`.
            align: align.max(align_of::<T>()) as u32,
            flags: self.flags,
            // CAST: At most `MAX_SHEAF_CAPACITY`. To the kernel, 0 is what it does by itself.
            sheaf_capacity: self.sheaf_capacity.map_or(0, |_| sheaf_capacity as u32),
            usercopy: if self.no_usercopy { 0..0 } else { 0..size },
            constructor: None,
            free_pointer: None,
        })
    }
}
