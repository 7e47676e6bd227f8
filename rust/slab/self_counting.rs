// SPDX-License-Identifier: GPL-2.0-only

//! Caches that outlive their handle: the objects hold no reference to the cache.
//!
//! The kernel finds an object's cache by the object's address, so that an object can be freed
//! without a reference to the cache. The cache is destroyed when the site's counters show that none
//! of its objects is live. The counters are exact after the last allocation, because only these
//! wrappers can count ([`Tag`] is unsafe to implement).

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

/// A function that constructs an object in the given memory.
pub(super) type Constructor = unsafe extern "C" fn(*mut c_void);

/// The owner of a cache (`struct kmem_cache`) whose objects are constructed with their slab.
///
/// # Invariants
///
/// - `ptr` is a live cache for objects of `S::Object`'s layout.
/// - It is the cache of the site, and nothing else allocates from it.
pub(super) struct SelfCountingCache<S: SlabSite> {
    ptr: NonNull<bindings::kmem_cache>,
    _site: PhantomData<fn() -> S>,
}

// SAFETY: The C functions of a cache do their own locking, and may be called by any thread.
unsafe impl<S: SlabSite> Send for SelfCountingCache<S> {}
// SAFETY: The C functions of a cache do their own locking, and may be called by several threads at
// once.
unsafe impl<S: SlabSite> Sync for SelfCountingCache<S> {}

impl<S: SlabSite> SelfCountingCache<S> {
    /// Creates the cache.
    ///
    /// # Safety
    ///
    /// - `spec` must be that of [`Options`](super::Options) for `S::Object`. Its flags and the
    ///   place of the free pointer may differ, and must meet the requirements of
    ///   [`CacheSlot::open`].
    /// - `constructor` must be a function that may be called for memory of an `S::Object`, in any
    ///   context. The value that it constructs must not need `Drop`, and must be `Send`.
    ///
    /// [`CacheSlot::open`]: crate::sys::kmem_cache::CacheSlot::open
    ///
    /// # Errors
    ///
    /// The errors of [`KmemCache::new`](crate::KmemCache::new).
    pub(super) unsafe fn new(spec: Spec, constructor: Constructor) -> Result<Self> {
        // SAFETY: The caller guarantees that spec and constructor fit `S::Object`. `open` checks
        // that the constructor belongs to the site's module.
        let ptr = unsafe {
            create(
                S::site(),
                Spec {
                    constructor: Some(constructor),
                    ..spec
                },
            )?
        };
        // INVARIANT: The cache is new and for this layout, and the site has no other one.
        Ok(SelfCountingCache {
            ptr,
            _site: PhantomData,
        })
    }

    /// Allocates an object, in the state in which it was constructed or freed.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails.
    #[inline]
    pub(super) fn take(&self, gfp: Gfp) -> Result<RawObject<S>, AllocError> {
        let gfp = gfp.without_zone().without_zero();
        // SAFETY: By the type invariants, the cache is live. The flags do not request zeroes.
        let ptr = unsafe { kmem_cache::alloc(self.ptr, gfp) };
        let Some(ptr) = NonNull::new(ptr.cast()) else {
            site::count_failure::<S>(gfp, false);
            return Err(AllocError);
        };
        // SAFETY: This counts the object that was just allocated.
        unsafe { S::count_object::<{ counter::UNIT_ALLOCS }>() };
        // INVARIANT: The memory is a new object of this cache.
        Ok(RawObject { ptr })
    }

    /// Shrinks the cache, like [`KmemCache::shrink`](crate::KmemCache::shrink).
    pub(super) fn shrink(&self) -> Result {
        // SAFETY: By the type invariants, the cache is live.
        unsafe { super::shrink(self.ptr) }
    }
}

impl<S: SlabSite> Drop for SelfCountingCache<S> {
    fn drop(&mut self) {
        // By the type invariants, nothing allocates from the cache any more.
        registry::orphan_cache(S::site());
    }
}

/// The memory of an object, which holds the constructor's value. It is freed on drop.
///
/// # Invariants
///
/// `ptr` is an allocated object of a [`SelfCountingCache`] of `S`, and nothing else owns it.
pub(super) struct RawObject<S: SlabSite> {
    ptr: NonNull<S::Object>,
}

// SAFETY: The memory is not bound to a thread. The types that store an object in it declare its
// thread safety.
unsafe impl<S: SlabSite> Send for RawObject<S> {}
// SAFETY: A shared reference gives access to nothing but the address.
unsafe impl<S: SlabSite> Sync for RawObject<S> {}

impl<S: SlabSite> RawObject<S> {
    /// Takes over memory from [`into_raw`](Self::into_raw).
    ///
    /// # Safety
    ///
    /// - `ptr` must come from `into_raw`.
    /// - Nothing else may own the memory.
    pub(super) unsafe fn from_raw(ptr: NonNull<S::Object>) -> Self {
        // INVARIANT: The caller guarantees an allocated object that nothing else owns.
        RawObject { ptr }
    }

    /// Gives up the memory without freeing it.
    pub(super) fn into_raw(self) -> NonNull<S::Object> {
        core::mem::ManuallyDrop::new(self).ptr
    }

    /// Defers the free to a worker, because this thread holds a lock in the object.
    ///
    /// # Safety
    ///
    /// The memory must begin with an aligned word that nothing uses any more.
    #[cold]
    pub(super) unsafe fn free_later(self) {
        // SAFETY: By the type invariants, `self` owns the object, and this function gives it up.
        // The caller guarantees that the word is unused.
        if unsafe { delayed::push(self.into_raw().cast()) } {
            registry::schedule_reaper();
        }
        // Pairs with the acquire in `CacheSlot::close`. If the worker sees the count below, it also
        // sees the object on the list, and frees it before it destroys the cache.
        fence(Ordering::Release);
        // SAFETY: This counts the object whose free is deferred.
        unsafe { S::count_object::<{ counter::UNIT_FREES }>() };
        if S::site().cache().is_orphaned() {
            registry::schedule_reaper();
        }
    }

    /// Returns the address of the memory.
    #[inline]
    pub(super) fn as_ptr(&self) -> NonNull<S::Object> {
        self.ptr
    }
}

impl<S: SlabSite> Drop for RawObject<S> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants, `self` owns the object, which is of a slab cache. The
        // cache is not destroyed before the object is counted as freed.
        unsafe { bindings::kfree(self.ptr.as_ptr().cast()) };
        // Pairs with the acquire in `CacheSlot::close`. The cache may be destroyed from the count
        // below on: if the worker sees the count, it also sees the free.
        fence(Ordering::Release);
        // SAFETY: This counts the object that was just freed.
        unsafe { S::count_object::<{ counter::UNIT_FREES }>() };
        if S::site().cache().is_orphaned() {
            registry::schedule_reaper();
        }
    }
}
