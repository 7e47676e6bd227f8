// SPDX-License-Identifier: GPL-2.0-only

//! The unique owner of a value, before it is shared.

use super::{
    Arc,
    ArcInner,
    KmallocSite, //
};
use crate::{
    alloc::kmalloc::Kmalloc,
    sys::in_place, //
};
use core::{
    borrow::BorrowMut,
    mem::{
        ManuallyDrop,
        MaybeUninit, //
    },
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull,
};
use kernel::{
    alloc::{
        AllocError,
        Box,
        Flags, //
    },
    fmt,
    prelude::*,
    sync::Refcount, //
};

/// An [`Arc`] that is the only one: the value is writable, and can be shared later.
///
/// # Examples
///
/// ```
/// use kalloc::{Arc, UniqueArc};
///
/// struct Session {
///     id: u64,
/// }
///
/// kalloc::sites! {
///     Sessions: kmalloc(Session), "doc_unique_arc";
/// }
///
/// // The memory is reserved where the driver may sleep, and written later.
/// let memory = UniqueArc::<Session, Sessions>::new_uninit(GFP_KERNEL)?;
/// let mut session = memory.write(Session { id: 7 });
/// session.id += 1;
/// let session: Arc<_, _> = session.into();
/// assert_eq!(session.id, 8);
///
/// // Or it is initialized in place, and pinned if its type requires it.
/// let memory = UniqueArc::<Session, Sessions>::new_uninit(GFP_KERNEL)?;
/// let session = memory.init_with(init!(Session { id: 9 }))?;
/// assert_eq!(UniqueArc::as_ptr(&session), core::ptr::from_ref(&*session));
/// let memory = UniqueArc::<Session, Sessions>::new_uninit(GFP_KERNEL)?;
/// let session = memory.pin_init_with(init!(Session { id: 10 }))?;
/// assert_eq!(Arc::from(session).id, 10);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The reference count is 1.
#[repr(transparent)]
pub struct UniqueArc<T: ?Sized, S: KmallocSite> {
    inner: Arc<T, S>,
}

impl<T, S: KmallocSite> UniqueArc<T, S> {
    /// Allocates a block and moves `value` into it, like [`Arc::new`].
    ///
    /// # Context
    ///
    /// May sleep, if `flags` allow it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails. The value is dropped in that case.
    #[inline]
    pub fn new(value: T, flags: Flags) -> Result<Self, AllocError> {
        // INVARIANT: There is no other pointer to a new block.
        Ok(UniqueArc {
            inner: Arc::new(value, flags)?,
        })
    }

    /// Allocates a block without initializing the value.
    ///
    /// # Context
    ///
    /// May sleep, if `flags` allow it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails.
    #[inline]
    pub fn new_uninit(flags: Flags) -> Result<UniqueArc<MaybeUninit<T>, S>, AllocError> {
        let block = Box::<ArcInner<MaybeUninit<T>>, Kmalloc<S>>::new_uninit(flags)?;
        let block = NonNull::from(Box::leak(block)).cast::<ArcInner<MaybeUninit<T>>>();
        // SAFETY: The block is new, and has room for the count.
        unsafe { (&raw mut (*block.as_ptr()).refcount).write(Refcount::new(1)) };
        // SAFETY: Any bytes are a valid `MaybeUninit`. The count of 1 is for the new owner.
        Ok(unsafe { UniqueArc::from_inner(block) })
    }
}

impl<T: ?Sized, S: KmallocSite> UniqueArc<T, S> {
    /// Creates the owner of a block.
    ///
    /// # Safety
    ///
    /// `inner` must be a block of the allocator `Kmalloc<S>` with a valid value, and its reference
    /// count must be 1, for this owner.
    #[inline]
    pub(super) unsafe fn from_inner(inner: NonNull<ArcInner<T>>) -> Self {
        // INVARIANT: The caller guarantees a count of 1.
        UniqueArc {
            // SAFETY: The caller guarantees a valid value, and a count that includes this owner.
            inner: unsafe { Arc::from_inner(inner) },
        }
    }

    /// Returns the pointer to share.
    #[inline]
    pub(super) fn into_arc(self) -> Arc<T, S> {
        self.inner
    }

    /// Returns the address of the value.
    #[inline]
    pub fn as_ptr(this: &Self) -> *const T {
        Arc::as_ptr(&this.inner)
    }
}

impl<T, S: KmallocSite> UniqueArc<MaybeUninit<T>, S> {
    /// Moves `value` into the block.
    #[inline]
    pub fn write(mut self, value: T) -> UniqueArc<T, S> {
        const { in_place::assert_movable::<T>() };
        (*self).write(value);
        // SAFETY: The value was just written.
        unsafe { self.assume_init() }
    }

    /// Converts the owner into that of an initialized value.
    ///
    /// # Safety
    ///
    /// The value must have been initialized.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::UniqueArc;
    ///
    /// kalloc::sites! {
    ///     Words: kmalloc(u64), "doc_unique_init";
    /// }
    ///
    /// let mut word = UniqueArc::<u64, Words>::new_uninit(GFP_KERNEL)?;
    /// (*word).write(7);
    /// // SAFETY: The value was just written.
    /// let word = unsafe { word.assume_init() };
    /// assert_eq!(*word, 7);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub unsafe fn assume_init(self) -> UniqueArc<T, S> {
        let inner = ManuallyDrop::new(self).inner.inner.cast();
        // SAFETY: The caller guarantees a valid value. The block has the same layout, and its count
        // of 1 is moved to the new owner.
        unsafe { UniqueArc::from_inner(inner) }
    }

    /// Initializes the value in place.
    ///
    /// # Errors
    ///
    /// The initializer's error. The memory is freed in that case.
    #[inline]
    pub fn init_with<E>(self, init: impl Init<T, E>) -> Result<UniqueArc<T, S>, E> {
        self.write_init(init)
    }

    /// Initializes the value in place, and pins it.
    ///
    /// # Errors
    ///
    /// The initializer's error. The memory is freed in that case.
    #[inline]
    pub fn pin_init_with<E>(self, init: impl PinInit<T, E>) -> Result<Pin<UniqueArc<T, S>>, E> {
        self.write_pin_init(init)
    }
}

impl<T, S: KmallocSite> InPlaceWrite<T> for UniqueArc<MaybeUninit<T>, S> {
    type Initialized = UniqueArc<T, S>;

    #[inline]
    fn write_init<E>(mut self, init: impl Init<T, E>) -> Result<Self::Initialized, E> {
        // SAFETY: The block has room for the value, which is not used if the initializer fails.
        unsafe { in_place::raw_try_init(self.as_mut_ptr(), init)? };
        // SAFETY: The initializer succeeded.
        Ok(unsafe { self.assume_init() })
    }

    #[inline]
    fn write_pin_init<E>(mut self, init: impl PinInit<T, E>) -> Result<Pin<Self::Initialized>, E> {
        // SAFETY: The block has room for the value, which is not used if the initializer fails. It
        // does not move before it is pinned below.
        unsafe { in_place::raw_try_init(self.as_mut_ptr(), init)? };
        // SAFETY: The initializer succeeded.
        Ok(unsafe { self.assume_init() }.into())
    }
}

impl<T, S: KmallocSite> InPlaceInit<T> for UniqueArc<T, S> {
    type PinnedSelf = Pin<Self>;

    #[inline]
    fn try_pin_init<E: From<AllocError>>(
        init: impl PinInit<T, E>,
        flags: Flags,
    ) -> Result<Pin<Self>, E> {
        Self::new_uninit(flags)?.write_pin_init(init)
    }

    #[inline]
    fn try_init<E: From<AllocError>>(init: impl Init<T, E>, flags: Flags) -> Result<Self, E> {
        Self::new_uninit(flags)?.write_init(init)
    }
}

impl<T: ?Sized, S: KmallocSite> From<UniqueArc<T, S>> for Pin<UniqueArc<T, S>> {
    #[inline]
    fn from(unique: UniqueArc<T, S>) -> Self {
        // SAFETY: The owner never moves its value.
        unsafe { Pin::new_unchecked(unique) }
    }
}

impl<T: ?Sized, S: KmallocSite> Deref for UniqueArc<T, S> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized, S: KmallocSite> DerefMut for UniqueArc<T, S> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the type invariants, there is no other pointer to the live block. The mutable
        // borrow excludes other accesses.
        unsafe { &mut (*self.inner.inner.as_ptr()).data }
    }
}

impl<T: ?Sized, S: KmallocSite> BorrowMut<T> for UniqueArc<T, S> {
    fn borrow_mut(&mut self) -> &mut T {
        self
    }
}

impl_value_traits!(UniqueArc);
