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
