// SPDX-License-Identifier: GPL-2.0-only

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

/// A holder of a cache: a reference, or an [`Arc`].
///
/// # Safety
///
/// - `deref` must return the same cache every time.
/// - The cache must be live as long as the holder is.
/// - A clone of the holder must be one of the same cache.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     slab::{object::Holder, Options, Owned, SlabSite},
///     KmemCache,
/// };
///
/// /// Adds one to an object that borrows or shares its cache.
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

// SAFETY: A reference always refers to the same live cache.
unsafe impl<S: SlabSite> Holder<S> for &KmemCache<S> {}
// SAFETY: An `Arc` always refers to the same cache, and keeps it live.
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
/// /// A list of nodes that cannot outlive their cache.
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
/// /// A list that can be kept anywhere: the cache is dropped with the last of its nodes.
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

/// Uninitialized memory for an object. It is freed on drop.
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
/// // The table is initialized in place, without a copy on the stack.
/// let cache = KmemCache::<Tables>::new(Options::new())?;
/// let table = cache
///     .reserve(GFP_KERNEL)?
///     .init(pin_init::init_zeroed::<[u64; 64]>())?;
/// assert_eq!(table.first(), Some(&0));
///
/// // A pinned object is initialized in its final place.
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

// SAFETY: The memory is not bound to a thread, and holds no object.
unsafe impl<S: SlabSite, C: Holder<S> + Send> Send for Slot<S, C> {}
// SAFETY: A shared reference gives access to nothing.
unsafe impl<S: SlabSite, C: Holder<S> + Sync> Sync for Slot<S, C> {}

impl<S: SlabSite, C: Holder<S>> Slot<S, C> {
    #[inline(always)]
    pub(super) fn reserve(cache: C, gfp: Gfp) -> Result<Self, AllocError> {
        let gfp = gfp.without_zone();
        // SAFETY: By the invariants of `KmemCache`, the cache is live. It has no constructor.
        let ptr = unsafe { kmem_cache::alloc(cache.ptr, gfp) };
        let Some(ptr) = NonNull::new(ptr.cast()) else {
            site::count_failure::<S>(gfp, false);
            return Err(AllocError);
        };
        // SAFETY: This counts the object that was just allocated.
        unsafe { cache.count::<{ counter::UNIT_ALLOCS }>() };
        // INVARIANT: The memory is a new object of this cache.
        Ok(Slot { ptr, cache })
    }

    /// Moves `value` into the slot.
    ///
    /// The value is on the stack before. A value of more than 2 KiB does not compile;
    /// [`init`](Self::init) has no limit.
    #[inline(always)]
    pub fn write(self, value: S::Object) -> Owned<S, C> {
        const { in_place::assert_movable::<S::Object>() };
        // SAFETY: By the type invariants, the memory has room for the value.
        unsafe { self.ptr.write(value) };
        // SAFETY: The value was just written.
        unsafe { self.assume_init() }
    }

    /// Initializes the object in place.
    ///
    /// # Errors
    ///
    /// The initializer's error. The memory is freed in that case.
    pub fn init<E>(self, init: impl Init<S::Object, E>) -> Result<Owned<S, C>, E> {
        // SAFETY: By the type invariants, the memory has room for the value. It is not used if the
        // initializer fails.
        unsafe { in_place::raw_try_init(self.ptr.as_ptr(), init)? };
        // SAFETY: The initializer succeeded.
        Ok(unsafe { self.assume_init() })
    }

    /// Initializes the object in place, and pins it.
    ///
    /// # Errors
    ///
    /// The initializer's error. The memory is freed in that case.
    pub fn pin_init<E>(self, init: impl PinInit<S::Object, E>) -> Result<Pin<Owned<S, C>>, E> {
        // SAFETY: By the type invariants, the memory has room for the value. It is not used if the
        // initializer fails. The value does not move before it is pinned below.
        unsafe { in_place::raw_try_init(self.ptr.as_ptr(), init)? };
        // SAFETY: The initializer succeeded, and an `Owned` never moves its object.
        Ok(unsafe { Pin::new_unchecked(self.assume_init()) })
    }

    /// Separates the memory from the holder of its cache, without freeing it.
    #[inline]
    pub(super) fn into_parts(self) -> (NonNull<S::Object>, C) {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither used again nor dropped, so that the holder is moved out.
        (this.ptr, unsafe { core::ptr::read(&this.cache) })
    }

    /// Converts the slot into an initialized object.
    ///
    /// # Safety
    ///
    /// The memory must hold a valid object.
    #[inline(always)]
    pub(super) unsafe fn assume_init(self) -> Owned<S, C> {
        // INVARIANT: The caller guarantees that the memory holds a valid object.
        Owned {
            slot: ManuallyDrop::new(self),
            _owned: PhantomData,
        }
    }
}

impl<S: SlabSite, C: Holder<S>> Drop for Slot<S, C> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: This counts the object that is freed below.
        unsafe { self.cache.count::<{ counter::UNIT_FREES }>() };
        // SAFETY: By the type invariants, the object is of this cache, and `self` owns it.
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
/// // The value and the memory can both be used again.
/// let (slot, value) = node.take();
/// let node = slot.write(value + 1);
/// // Or only one of them.
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
    /// Moves the value out and frees the memory. The value has at most 2 KiB, like that of
    /// [`Slot::write`].
    pub fn into_inner(self) -> S::Object {
        self.take().1
    }

    /// Drops the value and keeps its memory.
    pub fn into_slot(self) -> Slot<S, C> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither used again nor dropped. By the type invariants, the value is
        // valid. If its drop panics, slot and value are leaked.
        unsafe {
            this.slot.ptr.drop_in_place();
            ManuallyDrop::take(&mut this.slot)
        }
    }

    /// Separates the object's address from the holder of its cache, without dropping the object.
    #[inline]
    pub(super) fn into_parts(self) -> (NonNull<S::Object>, C) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither used again nor dropped.
        unsafe { ManuallyDrop::take(&mut this.slot) }.into_parts()
    }

    /// Creates the owner of an object.
    ///
    /// # Safety
    ///
    /// `ptr` must be a valid object of `cache` that nothing else owns.
    #[inline]
    pub(super) unsafe fn from_parts(ptr: NonNull<S::Object>, cache: C) -> Self {
        // INVARIANT: The caller guarantees an object of the cache that nothing else owns.
        let slot = Slot { ptr, cache };
        // SAFETY: The caller guarantees a valid object.
        unsafe { slot.assume_init() }
    }

    /// Returns the cache of the object.
    pub(super) fn cache(&self) -> &KmemCache<S> {
        &self.slot.cache
    }

    /// Separates the value from its memory. The value has at most 2 KiB, like that of
    /// [`Slot::write`].
    pub fn take(self) -> (Slot<S, C>, S::Object) {
        const { in_place::assert_movable::<S::Object>() };
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither used again nor dropped, so that slot and value are moved out.
        // By the type invariants, the value is valid.
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
        // SAFETY: By the type invariants, the memory holds a valid object, which `self` owns.
        unsafe { self.slot.ptr.as_ref() }
    }
}

impl<S: SlabSite, C: Holder<S>> DerefMut for Owned<S, C> {
    #[inline]
    fn deref_mut(&mut self) -> &mut S::Object {
        // SAFETY: By the type invariants, the memory holds a valid object. The mutable borrow
        // excludes other accesses.
        unsafe { self.slot.ptr.as_mut() }
    }
}

impl<S: SlabSite, C: Holder<S>> Drop for Owned<S, C> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the type invariants, the object is valid. Neither it nor the slot is used
        // again.
        unsafe {
            self.slot.ptr.drop_in_place();
            ManuallyDrop::drop(&mut self.slot);
        }
    }
}
