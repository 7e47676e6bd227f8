// SPDX-License-Identifier: GPL-2.0

//! Caches that stay as long as their objects, though these hold nothing.
//!
//! The kernel finds an object's cache by its address, so that it can be freed without holding on to
//! the cache. What keeps the cache is that it is destroyed when the site's counters say that no object
//! of it is live. They are exact once nobody allocates any more: nobody but these wrappers can count
//! ([`Tag`] is unsafe to implement).

use crate::{
    accounting::{
        registry,
        site,
        stats::counter, //
    },
    slab::{
        create, //
        SlabSite,
    },
    sys::{
        bindings,
        gfp::Gfp,
        kmem_cache::{
            self,
            delayed, //
            Spec,
        }, //
    }, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull,
    sync::atomic::{
        fence,
        Ordering, //
    }, //
};
use kernel::{
    alloc::AllocError,
    ffi::c_void,
    prelude::*, //
};

/// A function that makes an object of memory.
pub(super) type Constructor = unsafe extern "C" fn(*mut c_void);

/// The owner of a cache whose objects are constructed with their slab.
///
/// # Invariants
///
/// `ptr` is a live cache for objects of `S::Object`'s layout. It is that of the site, and nobody else
/// allocates from it.
pub(super) struct SelfCountingCache<S: SlabSite> {
    ptr: NonNull<bindings::kmem_cache>,
    _site: PhantomData<fn() -> S>,
}

// SAFETY: The cache does its own locking.
unsafe impl<S: SlabSite> Send for SelfCountingCache<S> {}
// SAFETY: As above.
unsafe impl<S: SlabSite> Sync for SelfCountingCache<S> {}

impl<S: SlabSite> SelfCountingCache<S> {
    /// Creates the cache.
    ///
    /// # Safety
    ///
    /// - `spec` must be that of [`Options`](super::Options) for `S::Object`, but for the flags and
    ///   the place of the free pointer, which must be as for [`CacheSlot::open`].
    /// - `constructor` must be a function that may be called for memory of an `S::Object`, in any
    ///   context. What it makes must not need to be dropped, and may change threads.
    ///
    /// [`CacheSlot::open`]: crate::sys::kmem_cache::CacheSlot::open
    ///
    /// # Errors
    ///
    /// As [`KmemCache::new`](crate::KmemCache::new).
    pub(super) unsafe fn new(spec: Spec, constructor: Constructor) -> Result<Self> {
        // SAFETY: By the requirements of this function. It is checked that the constructor is of the
        // site's module.
        let ptr = unsafe {
            create(
                S::site(),
                Spec {
                    constructor: Some(constructor),
                    ..spec
                },
            )?
        };
        // INVARIANT: The cache is new, for that layout, and the site has no other.
        Ok(SelfCountingCache {
            ptr,
            _site: PhantomData,
        })
    }

    /// Takes an object's memory out: as it was constructed, or as it was given back.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    #[inline]
    pub(super) fn take(&self, gfp: Gfp) -> Result<RawObject<S>, AllocError> {
        let gfp = gfp.without_zone().without_zero();
        // SAFETY: By the invariants, the cache is live. No zeroes are asked for.
        let ptr = unsafe { kmem_cache::alloc(self.ptr, gfp) };
        let Some(ptr) = NonNull::new(ptr.cast()) else {
            site::count_failure::<S>(gfp, false);
            return Err(AllocError);
        };
        // SAFETY: For the object that was allocated.
        unsafe { S::count_object::<{ counter::UNIT_ALLOCS }>() };
        // INVARIANT: A new object of this cache.
        Ok(RawObject { ptr })
    }

    /// As [`KmemCache::shrink`](crate::KmemCache::shrink).
    pub(super) fn shrink(&self) -> Result {
        // SAFETY: By the invariants.
        unsafe { super::shrink(self.ptr) }
    }
}

impl<S: SlabSite> Drop for SelfCountingCache<S> {
    fn drop(&mut self) {
        // By the invariants, nobody allocates any more.
        registry::orphan_cache(S::site());
    }
}

/// The memory of an object, which holds what its constructor made. Given back to the cache on drop.
///
/// # Invariants
///
/// `ptr` is an allocated object of a [`SelfCountingCache`] cache of `S`, and nothing else owns it.
pub(super) struct RawObject<S: SlabSite> {
    ptr: NonNull<S::Object>,
}

// SAFETY: The memory belongs to no thread; who has an object in it says so by themselves.
unsafe impl<S: SlabSite> Send for RawObject<S> {}
// SAFETY: As above.
unsafe impl<S: SlabSite> Sync for RawObject<S> {}

impl<S: SlabSite> RawObject<S> {
    /// Takes over memory that [`into_raw`](Self::into_raw) gave away.
    ///
    /// # Safety
    ///
    /// Nobody else may own it now.
    pub(super) unsafe fn from_raw(ptr: NonNull<S::Object>) -> Self {
        // INVARIANT: By the requirement of this function.
        RawObject { ptr }
    }

    /// Gives the memory away.
    pub(super) fn into_raw(self) -> NonNull<S::Object> {
        core::mem::ManuallyDrop::new(self).ptr
    }

    /// Gives the memory back by a worker, as this thread holds a lock in it.
    ///
    /// # Safety
    ///
    /// The memory must begin with an aligned word that nobody uses any more.
    #[cold]
    pub(super) unsafe fn free_later(self) {
        // SAFETY: By the invariants, the object is ours, and this function gives it up. The word is by
        // the requirement of this function.
        if unsafe { delayed::push(self.into_raw().cast()) } {
            registry::schedule_reaper();
        }
        // The cache may be gone once the object is freed, which is after who sees the count has seen the list.
        fence(Ordering::Release);
        // SAFETY: For the object that is freed.
        unsafe { S::count_object::<{ counter::UNIT_FREES }>() };
        if S::site().cache().is_orphaned() {
            registry::schedule_reaper();
        }
    }

    /// Where the memory is.
    #[inline]
    pub(super) fn as_ptr(&self) -> NonNull<S::Object> {
        self.ptr
    }
}

impl<S: SlabSite> Drop for RawObject<S> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the invariants, the object is ours. It is of a slab cache, which is not destroyed
        // before the object is counted as freed.
        unsafe { bindings::kfree(self.ptr.as_ptr().cast()) };
        // From here on the cache may be gone: whoever sees the count sees the object freed.
        fence(Ordering::Release);
        // SAFETY: For the object that was freed.
        unsafe { S::count_object::<{ counter::UNIT_FREES }>() };
        if S::site().cache().is_orphaned() {
            registry::schedule_reaper();
        }
    }
}
