// SPDX-License-Identifier: GPL-2.0

//! Objects of a slab cache, and the memory for them.

use crate::{
    accounting::{
        site,
        stats::counter, //
    },
    slab::{
        KmemCache,
        SlabSite, //
    },
    sys::{
        bindings,
        gfp::Gfp,
        in_place,
        kmem_cache, //
    }, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull, //
};
use kernel::{
    alloc::AllocError,
    prelude::*,
    sync::Arc, //
};

/// How an object holds on to its cache: by borrowing or by sharing it.
///
/// # Safety
///
/// `deref` must return the same cache every time, and the cache must be live as long as the holder
/// is.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     slab::{object::Holder, Options, Owned, SlabSite},
///     KmemCache,
/// };
///
/// /// Adds one to an object, whether it borrows its cache or shares it.
/// fn increment<S, C>(object: &mut Owned<S, C>)
/// where
///     S: SlabSite<Object = u64>,
///     C: Holder<S>,
/// {
///     **object += 1;
/// }
///
/// kalloc::sites! {
///     Nodes: cache(u64), "doc_holder";
/// }
///
/// let cache = KmemCache::<Nodes>::new(Options::new())?;
/// let mut node = cache.alloc(1, GFP_KERNEL)?;
/// increment(&mut node);
/// assert_eq!(*node, 2);
/// # Ok::<(), Error>(())
/// ```
pub unsafe trait Holder<S: SlabSite>: Deref<Target = KmemCache<S>> {}

// SAFETY: A reference is to one thing, which is live.
unsafe impl<S: SlabSite> Holder<S> for &KmemCache<S> {}
// SAFETY: As above.
unsafe impl<S: SlabSite> Holder<S> for Arc<KmemCache<S>> {}

/// An owned object that borrows its cache.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     slab::{Object, Options},
///     KmemCache,
/// };
///
/// kalloc::sites! {
///     Nodes: cache(u64), "doc_object";
/// }
///
/// /// Nodes that are gone before their cache is.
/// struct List<'c> {
///     head: Object<'c, Nodes>,
/// }
///
/// let cache = KmemCache::<Nodes>::new(Options::new())?;
/// let list = List {
///     head: cache.alloc(1, GFP_KERNEL)?,
/// };
/// assert_eq!(*list.head, 1);
/// # Ok::<(), Error>(())
/// ```
pub type Object<'c, S> = Owned<S, &'c KmemCache<S>>;

/// An owned object that shares its cache.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     slab::{ArcObject, Options},
///     KmemCache,
/// };
/// use kernel::sync::Arc;
///
/// kalloc::sites! {
///     Nodes: cache(u64), "doc_arc_object";
/// }
///
/// /// To be kept anywhere: the cache goes with the last of its nodes.
/// struct List {
///     head: ArcObject<Nodes>,
/// }
///
/// let cache = Arc::new(KmemCache::<Nodes>::new(Options::new())?, GFP_KERNEL)?;
/// let list = List {
///     head: cache.reserve_arc(GFP_KERNEL)?.write(1),
/// };
/// drop(cache);
/// assert_eq!(*list.head, 1);
/// # Ok::<(), Error>(())
/// ```
pub type ArcObject<S> = Owned<S, Arc<KmemCache<S>>>;

/// Memory for an object that is not initialised. Given back to the cache on drop.
///
/// # Examples
///
/// ```
/// use kalloc::{slab::Options, KmemCache};
/// use kernel::{new_spinlock, sync::SpinLock};
///
/// kalloc::sites! {
///     Tables: cache([u64; 64]), "doc_slot";
///     Queues: cache(SpinLock<u64>), "doc_slot_pinned";
/// }
///
/// // In place: nothing goes over the stack.
/// let cache = KmemCache::<Tables>::new(Options::new())?;
/// let table = cache
///     .reserve(GFP_KERNEL)?
///     .init(pin_init::init_zeroed::<[u64; 64]>())?;
/// assert_eq!(table.first(), Some(&0));
///
/// // And where it stays, if it must.
/// let cache = KmemCache::<Queues>::new(Options::new())?;
/// let queue = cache.reserve(GFP_KERNEL)?.pin_init(new_spinlock!(7))?;
/// assert_eq!(*queue.lock(), 7);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `ptr` is an allocated object of `cache` that nothing else owns.
pub struct Slot<S: SlabSite, C: Holder<S>> {
    pub(super) ptr: NonNull<S::Object>,
    pub(super) cache: C,
}

// SAFETY: The memory belongs to no thread, and holds no object.
unsafe impl<S: SlabSite, C: Holder<S> + Send> Send for Slot<S, C> {}
// SAFETY: A shared reference gives access to nothing.
unsafe impl<S: SlabSite, C: Holder<S> + Sync> Sync for Slot<S, C> {}

impl<S: SlabSite, C: Holder<S>> Slot<S, C> {
    #[inline(always)]
    pub(super) fn reserve(cache: C, gfp: Gfp) -> Result<Self, AllocError> {
        let gfp = gfp.without_zone();
        // SAFETY: By the invariants of `KmemCache`, the cache is live; it has no constructor.
        let ptr = unsafe { kmem_cache::alloc(cache.ptr, gfp) };
        let Some(ptr) = NonNull::new(ptr.cast()) else {
            site::count_failure::<S>(gfp, false);
            return Err(AllocError);
        };
        // SAFETY: For the object that was allocated.
        unsafe { cache.count::<{ counter::UNIT_ALLOCS }>() };
        // INVARIANT: A new object of this cache.
        Ok(Slot { ptr, cache })
    }

    /// Moves `value` in.
    ///
    /// The value is on the stack before. One of more than 2 KiB does not compile here:
    /// [`init`](Self::init) has no limit.
    #[inline(always)]
    pub fn write(self, value: S::Object) -> Owned<S, C> {
        const { in_place::assert_movable::<S::Object>() };
        // SAFETY: By the invariants, there is room for it.
        unsafe { self.ptr.write(value) };
        // SAFETY: Just initialised.
        unsafe { self.assume_init() }
    }

    /// Initialises the object in place.
    ///
    /// # Errors
    ///
    /// The initialiser's; the memory is given back.
    pub fn init<E>(self, init: impl Init<S::Object, E>) -> Result<Owned<S, C>, E> {
        // SAFETY: By the invariants, there is room for it; on error it is not used.
        unsafe { in_place::raw_try_init(self.ptr.as_ptr(), init)? };
        // SAFETY: Just initialised.
        Ok(unsafe { self.assume_init() })
    }

    /// Initialises the object in place, where it will stay.
    ///
    /// # Errors
    ///
    /// The initialiser's; the memory is given back.
    pub fn pin_init<E>(self, init: impl PinInit<S::Object, E>) -> Result<Pin<Owned<S, C>>, E> {
        // SAFETY: By the invariants, there is room for it; on error it is not used. It does not
        // move before it is pinned below.
        unsafe { in_place::raw_try_init(self.ptr.as_ptr(), init)? };
        // SAFETY: Just initialised. An `Owned` never moves what it owns.
        Ok(unsafe { Pin::new_unchecked(self.assume_init()) })
    }

    /// Takes the object as initialised.
    ///
    /// # Safety
    ///
    /// The memory must hold a valid object.
    #[inline(always)]
    pub(super) unsafe fn assume_init(self) -> Owned<S, C> {
        // INVARIANT: Valid by the requirement of this function.
        Owned {
            slot: ManuallyDrop::new(self),
            _owned: PhantomData,
        }
    }
}

impl<S: SlabSite, C: Holder<S>> Drop for Slot<S, C> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: For the object that is freed.
        unsafe { self.cache.count::<{ counter::UNIT_FREES }>() };
        // SAFETY: By the invariants, the object is this cache's, and ours.
        unsafe { bindings::kmem_cache_free(self.cache.ptr.as_ptr(), self.ptr.as_ptr().cast()) };
    }
}

/// An owned object of a slab cache: [`Object`] or [`ArcObject`].
///
/// # Examples
///
/// ```
/// use kalloc::{slab::Options, KmemCache};
///
/// kalloc::sites! {
///     Nodes: cache(u64), "doc_owned";
/// }
///
/// let cache = KmemCache::<Nodes>::new(Options::new())?;
/// let node = cache.alloc(1, GFP_KERNEL)?;
/// // The value goes on, and so does the memory.
/// let (slot, value) = node.take();
/// let node = slot.write(value + 1);
/// // Or one of them.
/// let node = node.into_slot().write(3);
/// assert_eq!(node.into_inner(), 3);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The slot's memory holds a valid object.
pub struct Owned<S: SlabSite, C: Holder<S>> {
    slot: ManuallyDrop<Slot<S, C>>,
    _owned: PhantomData<S::Object>,
}

impl<S: SlabSite, C: Holder<S>> Owned<S, C> {
    /// Moves the value out and gives the memory back. The value has at most 2 KiB, as for
    /// [`Slot::write`].
    pub fn into_inner(self) -> S::Object {
        self.take().1
    }

    /// Drops the value and keeps its memory.
    pub fn into_slot(self) -> Slot<S, C> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither used again nor dropped. By the invariants, the value is valid;
        // should dropping it panic, slot and value are leaked.
        unsafe {
            this.slot.ptr.drop_in_place();
            ManuallyDrop::take(&mut this.slot)
        }
    }

    /// The cache that the object is of.
    pub(super) fn cache(&self) -> &KmemCache<S> {
        &self.slot.cache
    }

    /// Separates the value from its memory. The value has at most 2 KiB, as for [`Slot::write`].
    pub fn take(self) -> (Slot<S, C>, S::Object) {
        const { in_place::assert_movable::<S::Object>() };
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither used again nor dropped, so that slot and value are moved out.
        // By the invariants, the value is valid.
        unsafe {
            let slot = ManuallyDrop::take(&mut this.slot);
            let value = slot.ptr.read();
            (slot, value)
        }
    }
}

impl<S: SlabSite, C: Holder<S>> Deref for Owned<S, C> {
    type Target = S::Object;

    #[inline]
    fn deref(&self) -> &S::Object {
        // SAFETY: By the invariants.
        unsafe { self.slot.ptr.as_ref() }
    }
}

impl<S: SlabSite, C: Holder<S>> DerefMut for Owned<S, C> {
    #[inline]
    fn deref_mut(&mut self) -> &mut S::Object {
        // SAFETY: By the invariants; `self` is borrowed mutably.
        unsafe { self.slot.ptr.as_mut() }
    }
}

impl<S: SlabSite, C: Holder<S>> Drop for Owned<S, C> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the invariants, the object is valid; neither it nor the slot is used again.
        unsafe {
            self.slot.ptr.drop_in_place();
            ManuallyDrop::drop(&mut self.slot);
        }
    }
}
