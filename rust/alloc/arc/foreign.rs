// SPDX-License-Identifier: GPL-2.0-only

//! An [`Arc`] that C code holds as one pointer.

use super::{
    Arc,
    ArcBorrow,
    ArcInner,
    KmallocSite, //
};
use crate::alloc::kmalloc::Kmalloc;
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    alloc::Box,
    ffi::c_void,
    types::ForeignOwnable, //
};

// SAFETY: The pointer is to the block of the `Arc`, which is not NULL and has the alignment of a
// box with the same allocator.
unsafe impl<T: 'static, S: KmallocSite> ForeignOwnable for Arc<T, S> {
    const FOREIGN_ALIGN: usize = <Box<ArcInner<T>, Kmalloc<S>> as ForeignOwnable>::FOREIGN_ALIGN;

    type Borrowed<'a> = ArcBorrow<'a, T, S>;
    type BorrowedMut<'a> = ArcBorrow<'a, T, S>;

    fn into_foreign(self) -> *mut c_void {
        ManuallyDrop::new(self).inner.as_ptr().cast()
    }

    unsafe fn from_foreign(ptr: *mut c_void) -> Self {
        // SAFETY: The caller guarantees a pointer from `into_foreign`, which is not NULL, and keeps
        // a share of the reference count for the new pointer.
        unsafe { Arc::from_inner(NonNull::new_unchecked(ptr.cast())) }
    }

    unsafe fn borrow<'a>(ptr: *mut c_void) -> ArcBorrow<'a, T, S> {
        // SAFETY: The caller guarantees a pointer from `into_foreign`, which is not NULL. It keeps
        // a share of the reference count for `'a`, so that the block has no unique owner.
        unsafe { ArcBorrow::from_inner(NonNull::new_unchecked(ptr.cast())) }
    }

    unsafe fn borrow_mut<'a>(ptr: *mut c_void) -> ArcBorrow<'a, T, S> {
        // SAFETY: The requirements of `borrow_mut` include those of `borrow`.
        unsafe { Self::borrow(ptr) }
    }
}
