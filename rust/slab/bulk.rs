// SPDX-License-Identifier: GPL-2.0-only

//! Batches of objects of a slab cache.
//!
//! Allocating and freeing many objects at once costs a fraction of the separate calls. A [`Batch`]
//! stores up to `N` reserved slots inline, without an allocation of its own. One call fills it. The
//! caller takes slots out, and may put unneeded objects back for reuse. Dropping the batch frees
//! the remaining slots with one call.

use crate::{
    accounting::{
        site,
        stats::counter, //
    },
    slab::{
        object::{
            Holder,
            Owned,
            Slot, //
        }, //
        KmemCache,
        SlabSite,
    },
    sys::{
        bindings,
        gfp::Gfp, //
    }, //
};
use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ptr::NonNull, //
};
use kernel::{
    alloc::AllocError,
    ffi::c_void,
    sync::Arc, //
};

/// Reserved slots that borrow their cache.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     slab::{Batch, Options},
///     KmemCache,
/// };
///
/// kalloc::sites! {
///     Packets: cache([u8; 256]), "doc_borrowing_batch";
/// }
///
/// let cache = KmemCache::<Packets>::new(Options::new())?;
/// let mut batch: Batch<'_, Packets, 16> = cache.batch();
/// batch.fill(GFP_KERNEL)?;
/// assert_eq!(batch.len(), 16);
/// # Ok::<(), Error>(())
/// ```
pub type Batch<'c, S, const N: usize> = Reserve<S, &'c KmemCache<S>, N>;

/// Reserved slots that share their cache, and can be kept anywhere.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     slab::{ArcBatch, ArcObject, Options},
///     KmemCache,
/// };
/// use kernel::{
///     new_spinlock,
///     sync::{Arc, SpinLock},
/// };
///
/// kalloc::sites! {
///     Nodes: cache([u64; 8]), "doc_arc_batch";
/// }
///
/// /// Nodes in reserve, filled where the driver may sleep, and used under a lock.
/// struct Tree {
///     reserve: Pin<KBox<SpinLock<ArcBatch<Nodes, 16>>>>,
///     root: Option<ArcObject<Nodes>>,
/// }
///
/// let cache = Arc::new(KmemCache::<Nodes>::new(Options::new())?, GFP_KERNEL)?;
/// let mut reserve = cache.batch_arc::<16>();
/// reserve.fill(GFP_KERNEL)?;
/// let mut tree = Tree {
///     reserve: KBox::pin_init(new_spinlock!(reserve), GFP_KERNEL)?,
///     root: None,
/// };
/// drop(cache);
///
/// let slot = tree.reserve.lock().pop().ok_or(ENOMEM)?;
/// tree.root = Some(slot.write([1; 8]));
/// assert_eq!(tree.reserve.lock().len(), 15);
/// # Ok::<(), Error>(())
/// ```
pub type ArcBatch<S, const N: usize> = Reserve<S, Arc<KmemCache<S>>, N>;

/// Up to `N` reserved slots of a cache (`struct kmem_cache`): [`Batch`] or [`ArcBatch`].
///
/// # Context
///
/// Interrupts must be enabled when the batch is filled or dropped.
///
/// # Examples
///
/// ```
/// use kalloc::{slab::Options, KmemCache, Tag};
///
/// kalloc::sites! {
///     Packets: cache([u8; 256]), "doc_batch";
/// }
///
/// let cache = KmemCache::<Packets>::new(Options::new())?;
/// let mut batch = cache.batch::<16>();
/// batch.fill(GFP_KERNEL)?;
/// assert_eq!((batch.len(), batch.is_empty()), (16, false));
///
/// // One slot becomes an object, whose memory is put back later.
/// let packet = batch.pop().ok_or(ENOMEM)?.write([0; 256]);
/// batch.put(packet);
/// // Or all slots are used in place.
/// for slot in batch.slots_mut() {
///     slot.write([1; 256]);
/// }
///
/// drop(batch);
/// assert_eq!(Packets::site().totals().live(), 0);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// - The first `len` of `slots` are allocated, uninitialized objects of `cache` that nothing else
///   owns.
/// - `len` is at most `N`.
pub struct Reserve<S: SlabSite, C: Holder<S>, const N: usize> {
    cache: C,
    slots: [MaybeUninit<*mut c_void>; N],
    len: usize,
    _site: PhantomData<fn() -> S>,
}

// SAFETY: The slots are memory that is not bound to a thread, and hold no objects.
unsafe impl<S: SlabSite, C: Holder<S> + Send, const N: usize> Send for Reserve<S, C, N> {}
// SAFETY: A shared reference only gives access to the length.
unsafe impl<S: SlabSite, C: Holder<S> + Sync, const N: usize> Sync for Reserve<S, C, N> {}

impl<S: SlabSite> KmemCache<S> {
    /// Returns a batch without slots.
    #[inline]
    pub fn batch<const N: usize>(&self) -> Batch<'_, S, N> {
        Reserve::new(self)
    }

    /// Returns a batch without slots that shares the cache.
    #[inline]
    pub fn batch_arc<const N: usize>(self: &Arc<Self>) -> ArcBatch<S, N> {
        Reserve::new(self.clone())
    }
}

impl<S: SlabSite, C: Holder<S>, const N: usize> Reserve<S, C, N> {
    #[inline]
    fn new(cache: C) -> Self {
        const { assert!(N > 0, "a batch must have room for a slot") };
        const { assert!(N <= 256, "a batch is on the stack: at most 256 slots") };
        // INVARIANT: The batch has no slots.
        Reserve {
            cache,
            slots: [const { MaybeUninit::uninit() }; N],
            len: 0,
            _site: PhantomData,
        }
    }

    /// Reserves slots until there are `N`.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it. Interrupts must be enabled.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is not enough memory for all slots. The batch is unchanged in that
    /// case.
    #[inline]
    pub fn fill(&mut self, gfp: impl Into<Gfp>) -> Result<(), AllocError> {
        let missing = N - self.len;
        if missing == 0 {
            return Ok(());
        }
        let gfp = gfp.into().without_zone();
        // SAFETY: The cache is live. There is room for `missing` pointers behind the first `len`,
        // and `missing` is at least 1. On failure, the call has freed the objects that it had
        // allocated.
        let done = unsafe {
            let (from, to) = (
                self.cache.ptr.as_ptr(),
                self.slots.as_mut_ptr().add(self.len).cast(),
            );
            if cfg!(CONFIG_MEM_ALLOC_PROFILING) {
                bindings::kalloc_helper_kmem_cache_alloc_bulk(from, gfp.as_raw(), missing, to)
            } else {
                bindings::kmem_cache_alloc_bulk_noprof(from, gfp.as_raw(), missing, to)
            }
        };
        if !done {
            site::count_failure::<S>(gfp, false);
            return Err(AllocError);
        }
        self.cache
            .percpu
            .add::<{ counter::UNIT_ALLOCS }>(missing as u64);
        // INVARIANT: The call has filled the missing slots.
        self.len = N;
        Ok(())
    }

    /// Returns the number of slots.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are no slots.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the memory of the slots, for use in place.
    #[inline]
    pub fn slots_mut(&mut self) -> impl Iterator<Item = &mut MaybeUninit<S::Object>> {
        self.slots.iter().take(self.len).map(|slot| {
            // SAFETY: By the type invariants, the pointer is initialized, and to the memory of an
            // object that nothing else owns. The iterator returns each one once while `self` is
            // borrowed.
            unsafe { &mut *slot.assume_init().cast() }
        })
    }

    /// Takes a slot out.
    #[inline]
    pub fn pop(&mut self) -> Option<Slot<S, C>>
    where
        C: Clone,
    {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: By the type invariants, the pointer is initialized and not NULL. It is now behind
        // the first `len`.
        let ptr = unsafe { NonNull::new_unchecked(self.slots.get(self.len)?.assume_init()) };
        // INVARIANT: The batch owned the memory, and has given it up.
        Some(Slot {
            ptr: ptr.cast(),
            cache: self.cache.clone(),
        })
    }

    /// Drops an object and keeps its memory, to be taken out again or freed with the batch.
    ///
    /// If the batch has `N` slots already, or is of another cache, the memory is freed immediately.
    #[inline]
    pub fn put<D: Holder<S>>(&mut self, object: Owned<S, D>) {
        let slot = object.into_slot();
        if self.len == N || !core::ptr::eq(&*slot.cache, &*self.cache) {
            return;
        }
        if let Some(to) = self.slots.get_mut(self.len) {
            to.write(slot.into_parts().0.as_ptr().cast());
            // INVARIANT: The memory is moved out of the slot, which is of this cache.
            self.len += 1;
        }
    }
}

impl<S: SlabSite, C: Holder<S>, const N: usize> Drop for Reserve<S, C, N> {
    #[inline]
    fn drop(&mut self) {
        if self.len == 0 {
            return;
        }
        self.cache
            .percpu
            .add::<{ counter::UNIT_FREES }>(self.len as u64);
        // SAFETY: By the type invariants, the first `len` pointers are objects of this cache that
        // the batch owns. The call may reorder them.
        unsafe {
            bindings::kmem_cache_free_bulk(
                self.cache.ptr.as_ptr(),
                self.len,
                self.slots.as_mut_ptr().cast(),
            )
        };
    }
}
