// SPDX-License-Identifier: GPL-2.0-only

//! Reference-counted pointers to values in counted kmalloc memory.
//!
//! [`Arc<T, S>`](Arc) has the interface of the kernel crate's [`Arc`](kernel::sync::Arc), with a
//! site as its second parameter. The memory of the value and its reference count is one kmalloc
//! block ([`ArcInner`]), which site `S` counts from its allocation until the last `Arc` is dropped.
//!
//! # Sites
//!
//! A site that is declared as `kmalloc(ArcInner<T>)` has the block's size as its unit, and counts
//! with one instruction. A site of another type, such as `kmalloc(T)`, also counts bytes.
//!
//! # Uses
//!
//! | use | trait |
//! |---|---|
//! | private data, an XArray, two C callbacks | [`ForeignOwnable`](kernel::types::ForeignOwnable), [`Arc::into_raw`] |
//! | a work item | [`WorkItemPointer`](kernel::workqueue::WorkItemPointer), also for delayed work |
//! | a trait object | coercion from `Arc<T, S>` to `Arc<dyn Trait, S>` |
//! | a method's receiver | `self: Arc<Self, S>`, `self: ArcBorrow<'_, Self, S>` |
//! | initialization in place | [`InPlaceInit`], [`InPlaceWrite`] |
//!
//! # Context
//!
//! Allocating may sleep unless the flags forbid it. Dropping an `Arc` may drop the value; freeing
//! the memory never sleeps.

use crate::{
    accounting::{
        family,
        site::Tag, //
    },
    alloc::kmalloc::Kmalloc,
    sys::in_place, //
};
use core::{
    any::Any,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    ptr::NonNull, //
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

/// Implements the traits of a pointer that its value has as well.
macro_rules! impl_value_traits {
    ($pointer:ident) => {
        impl<T: ?Sized, S: KmallocSite> core::borrow::Borrow<T> for $pointer<T, S> {
            fn borrow(&self) -> &T {
                self
            }
        }

        impl<T: ?Sized + fmt::Display, S: KmallocSite> fmt::Display for $pointer<T, S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&**self, f)
            }
        }

        impl<T: ?Sized + fmt::Debug, S: KmallocSite> fmt::Debug for $pointer<T, S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&**self, f)
            }
        }
    };
}

mod borrow;
mod foreign;
mod unique;
mod work;

pub use self::{
    borrow::ArcBorrow,
    unique::UniqueArc, //
};

/// A site of kmalloc memory: an abbreviation of the bound on the [`Tag`].
///
/// # Examples
///
/// ```
/// use kalloc::{alloc::arc::KmallocSite, Arc};
///
/// fn zero<S: KmallocSite>() -> Result<Arc<u64, S>> {
///     Ok(Arc::new(0, GFP_KERNEL)?)
/// }
///
/// kalloc::sites! {
///     Shared: kmalloc(u64), "doc_kmalloc_site";
/// }
///
/// assert_eq!(*zero::<Shared>()?, 0);
/// # Ok::<(), Error>(())
/// ```
pub trait KmallocSite: Tag<Family = family::Kmalloc> {}

impl<S: Tag<Family = family::Kmalloc>> KmallocSite for S {}

/// The block of an [`Arc`]: a value with its reference count (`refcount_t`).
///
/// Its name is for the declarations of sites.
///
/// # Examples
///
/// ```
/// use kalloc::{Arc, ArcInner, Tag};
///
/// kalloc::sites! {
///     Shared: kmalloc(ArcInner<u64>), "doc_arc_inner";
/// }
///
/// // The reference count takes 4 bytes, and the value is aligned.
/// assert_eq!(Shared::site().unit(), 16);
/// let shared = Arc::<u64, Shared>::new(7, GFP_KERNEL)?;
/// assert_eq!(Shared::site().totals().live_bytes, 16);
/// # Ok::<(), Error>(())
/// ```
#[repr(C)]
pub struct ArcInner<T: ?Sized> {
    refcount: Refcount,
    data: T,
}

impl<T: ?Sized> ArcInner<T> {
    /// Returns the block with the value at `data`.
    ///
    /// # Safety
    ///
    /// `data` must be the value of a live block.
    #[inline]
    unsafe fn of(data: *const T) -> NonNull<Self> {
        // SAFETY: The caller guarantees a live value.
        let align = align_of_val(unsafe { &*data });
        // The value follows the count, at the next multiple of its own alignment.
        let offset = align.max(size_of::<Refcount>());
        // SAFETY: The value is at this offset of its block. The cast keeps the metadata of the
        // pointer, which is that of the last field.
        unsafe { NonNull::new_unchecked((data.byte_sub(offset) as *const Self).cast_mut()) }
    }
}

/// A reference-counted pointer to a `T` in kmalloc memory, counted at site `S`.
///
/// The value is pinned, and dropped with the last pointer to it. The count has 31 bits, in a
/// `refcount_t`: a clone beyond them saturates the count, with a warning in the log. The value is
/// then never dropped.
///
/// # Examples
///
/// ```
/// use kalloc::{Arc, ArcInner, Tag};
///
/// struct Session {
///     id: u64,
/// }
///
/// kalloc::sites! {
///     Sessions: kmalloc(ArcInner<Session>), "doc_arc";
/// }
///
/// let session = Arc::<_, Sessions>::new(Session { id: 7 }, GFP_KERNEL)?;
/// let other = session.clone();
/// assert!(Arc::ptr_eq(&session, &other));
/// assert_eq!(Sessions::site().totals().live(), 1);
///
/// drop(session);
/// assert_eq!(other.id, 7);
/// // The last pointer can be written.
/// let mut alone = Arc::into_unique_or_drop(other).ok_or(EBUSY)?;
/// alone.id = 8;
/// drop(alone);
/// assert_eq!(Sessions::site().totals().live(), 0);
/// # Ok::<(), Error>(())
/// ```
///
/// As the receiver of a trait object's method:
///
/// ```
/// use kalloc::{Arc, ArcBorrow};
///
/// kalloc::sites! {
///     Handlers: kmalloc([u8]), "doc_arc_dyn";
/// }
///
/// trait Handler {
///     fn number(self: ArcBorrow<'_, Self, Handlers>) -> u32;
///     fn finish(self: Arc<Self, Handlers>) -> u32;
/// }
///
/// struct Echo(u32);
///
/// impl Handler for Echo {
///     fn number(self: ArcBorrow<'_, Self, Handlers>) -> u32 {
///         self.0
///     }
///
///     fn finish(self: Arc<Self, Handlers>) -> u32 {
///         self.0 + 1
///     }
/// }
///
/// let echo = Arc::<_, Handlers>::new(Echo(7), GFP_KERNEL)?;
/// let handler: Arc<dyn Handler, Handlers> = echo;
/// assert_eq!(handler.as_arc_borrow().number() + handler.finish(), 15);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// - `inner` is a block of the allocator `Kmalloc<S>`, and holds a valid value that never moves.
/// - `self` is counted in its reference count.
#[repr(transparent)]
#[derive(core::marker::CoercePointee)]
pub struct Arc<#[pointee] T: ?Sized, S: KmallocSite> {
    inner: NonNull<ArcInner<T>>,
    _owned: PhantomData<ArcInner<T>>,
    _site: PhantomData<S>,
}

// SAFETY: An `Arc` gives access to a `&T` in any thread, so `T` must be `Sync`. The last one drops
// the value in its thread, so `T` must be `Send`.
unsafe impl<T: ?Sized + Sync + Send, S: KmallocSite> Send for Arc<T, S> {}
// SAFETY: A reference to an `Arc` can be cloned into an `Arc`, which is `Send` with these bounds.
unsafe impl<T: ?Sized + Sync + Send, S: KmallocSite> Sync for Arc<T, S> {}

impl<T, S: KmallocSite> Arc<T, S> {
    /// The offset of the value in its block.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::Arc;
    ///
    /// kalloc::sites! {
    ///     Words: kmalloc(u64), "doc_arc_offset";
    /// }
    ///
    /// let word = Arc::<u64, Words>::new(7, GFP_KERNEL)?;
    /// let block = Arc::as_ptr(&word).addr() - Arc::<u64, Words>::DATA_OFFSET;
    /// assert_eq!(block % 16, 0);
    /// # Ok::<(), Error>(())
    /// ```
    pub const DATA_OFFSET: usize = core::mem::offset_of!(ArcInner<T>, data);

    /// Allocates a block and moves `value` into it.
    ///
    /// The value is on the stack before. A value of more than 2 KiB does not compile;
    /// [`pin_init`](InPlaceInit::pin_init) has no limit.
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
        const { in_place::assert_movable::<T>() };
        let block = Box::<_, Kmalloc<S>>::new(
            ArcInner {
                refcount: Refcount::new(1),
                data: value,
            },
            flags,
        )?;
        // SAFETY: The block is new, and its count of 1 is for this pointer.
        Ok(unsafe { Self::from_inner(NonNull::from(Box::leak(block))) })
    }
}

impl<T: ?Sized, S: KmallocSite> Arc<T, S> {
    /// Creates a pointer that has already been counted.
    ///
    /// # Safety
    ///
    /// - `inner` must be a block of the allocator `Kmalloc<S>`, with a valid value that never moves.
    /// - Its reference count must include this pointer.
    #[inline]
    unsafe fn from_inner(inner: NonNull<ArcInner<T>>) -> Self {
        // INVARIANT: The caller guarantees the block, and a count that includes this pointer.
        Arc {
            inner,
            _owned: PhantomData,
            _site: PhantomData,
        }
    }

    /// Returns the reference count.
    #[inline]
    fn refcount(&self) -> &Refcount {
        // SAFETY: By the type invariants, the block is live as long as `self`.
        unsafe { &(*self.inner.as_ptr()).refcount }
    }

    /// Returns the address of the value, and keeps the pointer's share of the reference count.
    ///
    /// Without a later [`from_raw`](Self::from_raw), the value is leaked.
    #[inline]
    pub fn into_raw(self) -> *const T {
        Self::as_ptr(&ManuallyDrop::new(self))
    }

    /// Returns the address of the value.
    #[inline]
    pub fn as_ptr(this: &Self) -> *const T {
        // SAFETY: By the type invariants, the block is live, so that its field is inside it.
        unsafe { &raw const (*this.inner.as_ptr()).data }
    }

    /// Creates a pointer from the address that [`into_raw`](Self::into_raw) returned.
    ///
    /// # Safety
    ///
    /// - `ptr` must come from `into_raw` of an `Arc` of the same site.
    /// - The caller must call this at most once for each call of `into_raw`.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::{Arc, ArcBorrow};
    ///
    /// kalloc::sites! {
    ///     Words: kmalloc(u64), "doc_arc_raw";
    /// }
    ///
    /// let ptr = Arc::into_raw(Arc::<u64, Words>::new(7, GFP_KERNEL)?);
    /// // SAFETY: The pointer comes from `into_raw`, and the value is live until it is taken back.
    /// let borrowed = unsafe { ArcBorrow::<u64, Words>::from_raw(ptr) };
    /// assert_eq!(*borrowed, 7);
    /// // SAFETY: The pointer comes from `into_raw`, and is used once.
    /// let word = unsafe { Arc::<u64, Words>::from_raw(ptr) };
    /// assert_eq!(*word, 7);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub unsafe fn from_raw(ptr: *const T) -> Self {
        // SAFETY: The caller guarantees that `into_raw` kept a share of the reference count, so
        // that the block is live and the count includes the new pointer.
        unsafe { Self::from_inner(ArcInner::of(ptr)) }
    }

    /// Returns a borrowed pointer, which can be cloned into an [`Arc`].
    #[inline]
    pub fn as_arc_borrow(&self) -> ArcBorrow<'_, T, S> {
        // SAFETY: The block is live, and has no unique owner, while `self` is borrowed.
        unsafe { ArcBorrow::from_inner(self.inner) }
    }

    /// Returns whether two pointers are to the same value.
    #[inline]
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        core::ptr::addr_eq(this.inner.as_ptr(), other.inner.as_ptr())
    }

    /// Returns the value's unique owner, if this is the last pointer to it. Otherwise this drops
    /// the pointer.
    ///
    /// The value itself is never dropped.
    pub fn into_unique_or_drop(this: Self) -> Option<Pin<UniqueArc<T, S>>> {
        let this = ManuallyDrop::new(this);
        if !this.refcount().dec_and_test() {
            return None;
        }
        // The count was 1, for `self` alone, which is counted again.
        this.refcount().set(1);
        // SAFETY: The count of 1 is for the new owner. The value does not move.
        Some(unsafe { Pin::new_unchecked(UniqueArc::from_inner(this.inner)) })
    }
}

impl<S: KmallocSite> Arc<dyn Any + Send + Sync, S> {
    /// Converts the pointer to one of a concrete type.
    ///
    /// # Errors
    ///
    /// Returns the pointer if the value has another type.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::any::Any;
    /// use kalloc::Arc;
    ///
    /// kalloc::sites! {
    ///     Values: kmalloc([u8]), "doc_arc_downcast";
    /// }
    ///
    /// let value: Arc<dyn Any + Send + Sync, Values> = Arc::<u32, Values>::new(7, GFP_KERNEL)?;
    /// assert_eq!(value.downcast::<u32>().ok().as_deref(), Some(&7));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn downcast<T: Any + Send + Sync>(self) -> Result<Arc<T, S>, Self> {
        if !(*self).is::<T>() {
            return Err(self);
        }
        let inner = ManuallyDrop::new(self).inner.cast();
        // SAFETY: The value is a `T`. The count includes `self`, which is not dropped.
        Ok(unsafe { Arc::from_inner(inner) })
    }
}

impl<T, S: KmallocSite> InPlaceInit<T> for Arc<T, S> {
    type PinnedSelf = Self;

    #[inline]
    fn try_pin_init<E: From<AllocError>>(
        init: impl PinInit<T, E>,
        flags: Flags,
    ) -> Result<Self, E> {
        Ok(UniqueArc::try_pin_init(init, flags)?.into())
    }

    #[inline]
    fn try_init<E: From<AllocError>>(init: impl Init<T, E>, flags: Flags) -> Result<Self, E> {
        Ok(UniqueArc::try_init(init, flags)?.into())
    }
}

impl<T: ?Sized, S: KmallocSite> Deref for Arc<T, S> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariants, the block is live as long as `self`. While there is an
        // `Arc`, nothing has a mutable reference to the value.
        unsafe { &(*self.inner.as_ptr()).data }
    }
}

impl<T: ?Sized, S: KmallocSite> Clone for Arc<T, S> {
    #[inline]
    fn clone(&self) -> Self {
        // OVERFLOW: The count saturates.
        self.refcount().inc();
        // SAFETY: The count was just raised for the new pointer.
        unsafe { Self::from_inner(self.inner) }
    }
}

impl<T: ?Sized, S: KmallocSite> Drop for Arc<T, S> {
    #[inline]
    fn drop(&mut self) {
        if self.refcount().dec_and_test() {
            // SAFETY: By the type invariants, the block is one of this allocator. The count is 0, so
            // that nothing else has access to it. `dec_and_test()` orders all accesses through other
            // pointers before this drop.
            drop(unsafe { Box::<_, Kmalloc<S>>::from_raw(self.inner.as_ptr()) });
        }
    }
}

impl<T: ?Sized, S: KmallocSite> From<UniqueArc<T, S>> for Arc<T, S> {
    #[inline]
    fn from(unique: UniqueArc<T, S>) -> Self {
        unique.into_arc()
    }
}

impl<T: ?Sized, S: KmallocSite> From<Pin<UniqueArc<T, S>>> for Arc<T, S> {
    #[inline]
    fn from(unique: Pin<UniqueArc<T, S>>) -> Self {
        // SAFETY: The value of an `Arc` never moves.
        unsafe { Pin::into_inner_unchecked(unique) }.into_arc()
    }
}

impl<T: ?Sized, S: KmallocSite> AsRef<T> for Arc<T, S> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl_value_traits!(Arc);
