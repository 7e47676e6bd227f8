// SPDX-License-Identifier: GPL-2.0-only

//! Borrowed pointers.

use super::{
    Arc,
    ArcInner,
    KmallocSite, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    ptr::NonNull, //
};

/// A borrowed [`Arc`]: a pointer to the value that can be cloned into an `Arc`.
///
/// # Examples
///
/// ```
/// use kalloc::{Arc, ArcBorrow};
///
/// kalloc::sites! {
///     Numbers: kmalloc(u64), "doc_arc_borrow";
/// }
///
/// fn keep(number: ArcBorrow<'_, u64, Numbers>) -> Arc<u64, Numbers> {
///     number.into()
/// }
///
/// let number = Arc::<u64, Numbers>::new(7, GFP_KERNEL)?;
/// let kept = keep(number.as_arc_borrow());
/// assert!(Arc::ptr_eq(&number, &kept));
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// For `'a`, `inner` is the live block of an `Arc<T, S>`, and has no [`UniqueArc`](super::UniqueArc).
#[repr(transparent)]
#[derive(core::marker::CoercePointee)]
pub struct ArcBorrow<'a, #[pointee] T: ?Sized + 'a, S: KmallocSite> {
    inner: NonNull<ArcInner<T>>,
    _borrowed: PhantomData<&'a ()>,
    _site: PhantomData<S>,
}

// SAFETY: A borrowed `Arc` can be cloned into an `Arc`, which is `Send` with these bounds.
unsafe impl<T: ?Sized + Sync + Send, S: KmallocSite> Send for ArcBorrow<'_, T, S> {}
// SAFETY: A borrowed `Arc` can be cloned into an `Arc`, which is `Send` with these bounds.
unsafe impl<T: ?Sized + Sync + Send, S: KmallocSite> Sync for ArcBorrow<'_, T, S> {}

impl<T: ?Sized, S: KmallocSite> ArcBorrow<'_, T, S> {
    /// Borrows a block.
    ///
    /// # Safety
    ///
    /// For the lifetime, `inner` must be the live block of an `Arc<T, S>` without a
    /// [`UniqueArc`](super::UniqueArc).
    #[inline]
    pub(super) unsafe fn from_inner(inner: NonNull<ArcInner<T>>) -> Self {
        // INVARIANT: The caller guarantees the invariants.
        ArcBorrow {
            inner,
            _borrowed: PhantomData,
            _site: PhantomData,
        }
    }

    /// Borrows the value at the address that [`Arc::into_raw`] or [`Arc::as_ptr`] returned.
    ///
    /// # Safety
    ///
    /// - `ptr` must come from an `Arc` of the same site.
    /// - For the lifetime, the value must be live, and have no [`UniqueArc`](super::UniqueArc).
    #[inline]
    pub unsafe fn from_raw(ptr: *const T) -> Self {
        // SAFETY: The caller guarantees a live block without a unique owner.
        unsafe { Self::from_inner(ArcInner::of(ptr)) }
    }
}

impl<T: ?Sized, S: KmallocSite> Clone for ArcBorrow<'_, T, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized, S: KmallocSite> Copy for ArcBorrow<'_, T, S> {}

impl<T: ?Sized, S: KmallocSite> Deref for ArcBorrow<'_, T, S> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariants, the block is live, and nothing has a mutable reference to
        // the value.
        unsafe { &(*self.inner.as_ptr()).data }
    }
}

impl<T: ?Sized, S: KmallocSite> From<ArcBorrow<'_, T, S>> for Arc<T, S> {
    #[inline]
    fn from(borrowed: ArcBorrow<'_, T, S>) -> Self {
        // SAFETY: The block is live as long as `borrowed`. The pointer is not dropped, so that it
        // needs no share of the count.
        let arc = ManuallyDrop::new(unsafe { Arc::from_inner(borrowed.inner) });
        Arc::clone(&arc)
    }
}
