// SPDX-License-Identifier: GPL-2.0

//! Slab caches: pools of objects of one type.
//!
//! | C | here |
//! |---|---|
//! | `kmem_cache_create` | [`KmemCache::new`], [`Options`] |
//! | `kmem_cache_alloc`, `_zalloc` | [`KmemCache::reserve`], [`KmemCache::alloc`], [`KmemCache::zeroed`] |
//! | `kmem_cache_free` | drop of an [`Object`] |
//! | `kmem_cache_alloc_bulk`, `_free_bulk` | [`Batch`] |
//! | `kmem_cache_shrink` | [`KmemCache::shrink`] |
//! | `kmem_cache_destroy` | drop of the [`KmemCache`] |
//!
//! The site gives a cache its name and its type, and has at most one cache at a time. Caches are
//! never merged with others, so that `/proc/slabinfo` has a row of that name, too. Objects may be
//! copied to and from user space.
//!
//! An object holds its cache, and goes back to it when dropped: it cannot be freed into another,
//! nor outlive its own. An [`Object`] borrows the cache, which costs nothing; an [`ArcObject`]
//! shares it, and may be kept anywhere.
//!
//! # Context
//!
//! Creating and shrinking a cache sleeps. Allocating may sleep unless the flags say otherwise.
//! Freeing never sleeps, nor does dropping a cache: it is destroyed by a worker.
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h)

use crate::{
    bindings,
    context,
    gfp::Gfp,
    registry,
    site::{
        Family,
        Sealed,
        Shape,
        Site,
        Tag, //
    },
    slab::Spec,
    stats::{
        Cookie,
        Totals, //
    }, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    alloc::AllocError,
    prelude::*,
    sync::Arc, //
};

pub mod batch;
pub mod object;

pub use self::{
    batch::Batch,
    object::{
        ArcObject,
        Object,
        Owned,
        Slot, //
    }, //
};

/// The family of [`KmemCache`].
pub struct Slab;

impl Sealed for Slab {}

impl Family for Slab {
    const NAME: &'static str = "cache";
    const MAX_SIZE: usize = crate::kmalloc::MAX_SIZE;

    fn unit_footprint(site: &Site) -> usize {
        let [size, ..] = site.cache().geometry();
        size as usize
    }

    fn shape(site: &Site, live: &Totals) -> Shape {
        Shape::packed(site.cache().geometry(), live.live())
    }
}

/// How a cache is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    flags: bindings::slab_flags_t,
}

impl Options {
    /// The defaults: aligned as the type, nothing else.
    pub const fn new() -> Self {
        Options { flags: 0 }
    }

    /// Objects start at a cache line (`SLAB_HWCACHE_ALIGN`).
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

    const fn with(self, flag: bindings::slab_flags_t) -> Self {
        Options {
            flags: self.flags | flag,
        }
    }
}

/// A slab cache of `S::Object`s, counted at site `S` and named after it.
///
/// # Invariants
///
/// `ptr` is a live cache for objects of `S::Object`'s layout, which no other `KmemCache` has, and
/// whose objects are freed into it only.
pub struct KmemCache<S: Tag<Family = Slab, Object: Sized>> {
    ptr: NonNull<bindings::kmem_cache>,
    /// Where the cache was opened.
    site: &'static Site,
    /// The site's counters, at hand where the cache is: a loop that uses the cache loads them once.
    cookie: Cookie,
    _site: PhantomData<fn() -> S>,
}

// SAFETY: The cache does its own locking.
unsafe impl<S: Tag<Family = Slab, Object: Sized>> Send for KmemCache<S> {}
// SAFETY: As above.
unsafe impl<S: Tag<Family = Slab, Object: Sized>> Sync for KmemCache<S> {}

impl<S: Tag<Family = Slab, Object: Sized>> KmemCache<S> {
    /// Creates the cache of site `S`.
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// - [`EAGAIN`] where sleeping is known not to be allowed.
    /// - [`EINVAL`] if the site is not [registered](crate::register).
    /// - [`EEXIST`] if the site has a cache already, or the kernel has one of that name.
    /// - [`ENOMEM`] if there is no memory, or another reason the kernel gives.
    pub fn new(options: Options) -> Result<Self> {
        const {
            let size = size_of::<S::Object>();
            assert!(size > 0, "a slab cache cannot have objects of no size");
            assert!(
                size <= crate::kmalloc::MAX_SIZE,
                "a slab cache cannot have objects above KMALLOC_MAX_SIZE"
            );
        }
        if context::is_atomic() {
            return Err(EAGAIN);
        }
        let site = S::site();
        let spec = Spec {
            // CAST: Checked above to be at most `KMALLOC_MAX_SIZE`; an alignment is no larger than
            // a size that is not 0.
            size: size_of::<S::Object>() as u32,
            align: align_of::<S::Object>() as u32,
            flags: options.flags,
        };
        // SAFETY: The size is as required; the alignment of a type is a power of two.
        let ptr = unsafe { registry::open_cache(site, spec)? };
        // INVARIANT: The cache is new, for that layout, and the site has no other. `Owned`s and
        // `Slot`s free into the cache that they hold.
        Ok(KmemCache {
            ptr,
            site,
            cookie: site.cookie(),
            _site: PhantomData,
        })
    }

    /// Takes an object's memory out of the cache, to be [written](Slot::write).
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    #[inline(always)]
    pub fn reserve(&self, gfp: impl Into<Gfp>) -> Result<Slot<S, &Self>, AllocError> {
        Slot::reserve(self, gfp.into())
    }

    /// As [`reserve`](Self::reserve); the slot, and the object made of it, share the cache.
    ///
    /// # Context
    ///
    /// As for `reserve`.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    #[inline]
    pub fn reserve_arc(
        self: &Arc<Self>,
        gfp: impl Into<Gfp>,
    ) -> Result<Slot<S, Arc<Self>>, AllocError> {
        Slot::reserve(self.clone(), gfp.into())
    }

    /// Allocates an object and moves `value` into it.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with `value` in it, if there is no memory.
    #[inline]
    pub fn alloc(
        &self,
        value: S::Object,
        gfp: impl Into<Gfp>,
    ) -> Result<Object<'_, S>, Rejected<S::Object>> {
        match self.reserve(gfp) {
            Ok(slot) => Ok(slot.write(value)),
            Err(AllocError) => Err(Rejected(value)),
        }
    }

    /// Allocates a zeroed object.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    #[inline]
    pub fn zeroed(&self, gfp: impl Into<Gfp>) -> Result<Object<'_, S>, AllocError>
    where
        S::Object: Zeroable,
    {
        let slot = self.reserve(gfp.into() | Gfp::ZERO)?;
        // SAFETY: All zeroes is a valid `Zeroable`.
        Ok(unsafe { slot.assume_init() })
    }

    /// Counts an object, at `COUNTER`, one of [`counter`](crate::stats::counter)'s.
    #[inline(always)]
    fn count<const COUNTER: usize>(&self) {
        if S::PERCPU {
            S::count_unit::<COUNTER>();
        } else {
            self.cookie.count::<COUNTER>();
        }
    }

    /// Gives slabs without objects back to the page allocator, and those that each CPU keeps at
    /// hand.
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    pub fn shrink(&self) {
        // SAFETY: By the invariants, the cache is live. The result says whether any slab is left.
        unsafe { bindings::kmem_cache_shrink(self.ptr.as_ptr()) };
    }
}

impl<S: Tag<Family = Slab, Object: Sized>> Drop for KmemCache<S> {
    /// Gives the cache up. It is destroyed a little later, in a context that may sleep, but before
    /// the site gets another one, and before its module is gone.
    fn drop(&mut self) {
        let leaked = self.site.totals().live();
        if leaked > 0 {
            // Objects were forgotten, which is safe: they stay valid, and so must the cache. Its
            // name stays taken.
            pr_warn!(
                "cache {}: not destroyed, {leaked} objects were leaked\n",
                self.site.name()
            );
            return;
        }
        // No object is left: each holds the cache, and none was forgotten.
        registry::orphan_cache(self.site);
    }
}

/// A value that no memory was there for.
#[derive(Debug)]
pub struct Rejected<T>(pub T);

impl<T> From<Rejected<T>> for Error {
    fn from(_: Rejected<T>) -> Error {
        ENOMEM
    }
}
