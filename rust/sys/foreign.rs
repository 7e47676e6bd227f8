// SPDX-License-Identifier: GPL-2.0-only

//! Owners that C code holds as one pointer.
//!
//! [`ForeignOwnable`](kernel::types::ForeignOwnable) converts an owner into a pointer and back. An
//! owner that only has its pointer in C can still be borrowed, as a [`Borrowed`].

use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref, //
};

/// A shared borrow of an owner that C code holds as a pointer.
///
/// # Examples
///
/// ```
/// use kalloc::{sys::foreign::Borrowed, Order, Pages};
/// use kernel::types::ForeignOwnable;
///
/// kalloc::sites! {
///     Rings: pages, "doc_borrowed";
/// }
///
/// /// Returns the page frame number of a block in C.
/// fn pfn(ring: Borrowed<'_, Pages<Rings>>) -> usize {
///     ring.pfn()
/// }
///
/// let ring = Pages::<Rings>::zeroed(Order::ZERO, GFP_KERNEL)?;
/// let number = ring.pfn();
/// let ptr = ring.into_foreign();
/// // SAFETY: The pointer comes from `into_foreign`, and is given back afterwards.
/// assert_eq!(pfn(unsafe { Pages::<Rings>::borrow(ptr) }), number);
/// // SAFETY: The pointer comes from `into_foreign`, and is not used again.
/// drop(unsafe { Pages::<Rings>::from_foreign(ptr) });
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// For `'a`, the owner is valid, and is borrowed only as shared.
pub struct Borrowed<'a, T> {
    owner: ManuallyDrop<T>,
    _borrowed: PhantomData<&'a T>,
}

impl<T> Borrowed<'_, T> {
    /// Borrows an owner.
    ///
    /// # Safety
    ///
    /// For the lifetime, C code must hold the owner that `owner` is a copy of, and it must be
    /// borrowed only as shared.
    pub(crate) unsafe fn new(owner: T) -> Self {
        // INVARIANT: The caller guarantees the invariants.
        Borrowed {
            owner: ManuallyDrop::new(owner),
            _borrowed: PhantomData,
        }
    }
}

impl<T> Deref for Borrowed<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.owner
    }
}

/// The part of `ForeignOwnable` of an owner that is borrowed as a whole.
macro_rules! borrow_as_owner {
    () => {
        type Borrowed<'a>
            = $crate::sys::foreign::Borrowed<'a, Self>
        where
            Self: 'a;
        type BorrowedMut<'a>
            = $crate::sys::foreign::Borrowed<'a, Self>
        where
            Self: 'a;

        unsafe fn borrow<'a>(ptr: *mut c_void) -> $crate::sys::foreign::Borrowed<'a, Self>
        where
            Self: 'a,
        {
            // SAFETY: The caller guarantees a pointer from `into_foreign`, which keeps the owner
            // for `'a`. The copy is not dropped.
            unsafe { $crate::sys::foreign::Borrowed::new(Self::from_foreign(ptr)) }
        }

        unsafe fn borrow_mut<'a>(ptr: *mut c_void) -> $crate::sys::foreign::Borrowed<'a, Self>
        where
            Self: 'a,
        {
            // SAFETY: The requirements of `borrow_mut` include those of `borrow`.
            unsafe { Self::borrow(ptr) }
        }
    };
}
pub(crate) use borrow_as_owner;

/// The part of `ForeignOwnable` of an owner whose pointer is that of a pinned object.
macro_rules! borrow_as_pinned {
    ($object:ty) => {
        type Borrowed<'a>
            = Pin<&'a $object>
        where
            Self: 'a;
        type BorrowedMut<'a>
            = Pin<&'a mut $object>
        where
            Self: 'a;

        unsafe fn borrow<'a>(ptr: *mut c_void) -> Pin<&'a $object>
        where
            Self: 'a,
        {
            // SAFETY: The caller guarantees a pointer from `into_foreign`, whose object is valid,
            // pinned, and only borrowed as shared for `'a`.
            unsafe { Pin::new_unchecked(&*ptr.cast()) }
        }

        unsafe fn borrow_mut<'a>(ptr: *mut c_void) -> Pin<&'a mut $object>
        where
            Self: 'a,
        {
            // SAFETY: The caller guarantees a pointer from `into_foreign`, whose object is valid,
            // pinned, and not borrowed otherwise for `'a`.
            unsafe { Pin::new_unchecked(&mut *ptr.cast()) }
        }
    };
}
pub(crate) use borrow_as_pinned;
