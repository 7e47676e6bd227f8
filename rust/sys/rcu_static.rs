// SPDX-License-Identifier: GPL-2.0-only

//! Data that the callbacks of a driver share.
//!
//! Some callbacks receive no driver-data pointer, for example `open` of a misc device, or a handler
//! that is called by name. A plain `static` would need a lock that is initialized by hand, and its
//! value would never be dropped. A [`RcuStatic`] is a static cell that exists from the start. The
//! module publishes a value in it and takes the value back:
//!
//! ```
//! use kalloc::sys::rcu_static::{RcuStatic, RcuStaticGuard};
//! use kernel::sync::Arc;
//!
//! struct Store {
//!     limit: usize,
//! }
//!
//! static STORE: RcuStatic<Store> = RcuStatic::new();
//!
//! struct Driver {
//!     // The device must come first: fields are dropped in the order of their declaration.
//!     _store: RcuStaticGuard<Store>,
//! }
//!
//! /// Implements the device's `open`.
//! fn open() -> Result<Arc<Store>> {
//!     STORE.get().ok_or(ENODEV)
//! }
//!
//! let store = Arc::new(Store { limit: 7 }, GFP_KERNEL)?;
//! let driver = Driver {
//!     _store: STORE.publish(store)?,
//! };
//! assert_eq!(open()?.limit, 7);
//! # Ok::<(), Error>(())
//! ```
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use crate::sys::{
    bindings,
    context, //
};
use core::{
    marker::PhantomData,
    ptr,
    sync::atomic::{
        AtomicPtr,
        Ordering, //
    }, //
};
use kernel::{
    ffi::c_void,
    prelude::*,
    sync::{
        rcu,
        Arc, //
    },
    types::ForeignOwnable, //
};

/// A static cell for an `Arc<T>`, initially empty.
///
/// # Examples
///
/// ```
/// use kalloc::sys::rcu_static::RcuStatic;
/// use kernel::sync::Arc;
///
/// static LIMIT: RcuStatic<u64> = RcuStatic::new();
///
/// assert!(LIMIT.get().is_none());
/// let published = LIMIT.publish(Arc::new(7, GFP_KERNEL)?)?;
/// let limit = LIMIT.get().ok_or(ENODEV)?;
///
/// // A clone keeps the value alive.
/// drop(published);
/// assert!(LIMIT.get().is_none());
/// assert_eq!(*limit, 7);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The pointer is NULL, or a reference to a `T` (from [`Arc::into_foreign`]). After taking a
/// reference out, the taker waits for an RCU grace period before dropping the reference.
pub struct RcuStatic<T: Send + Sync + 'static>(AtomicPtr<c_void>, PhantomData<Arc<T>>);

// SAFETY: `T: Send + Sync` makes `Arc<T>` shareable between threads.
unsafe impl<T: Send + Sync> Sync for RcuStatic<T> {}

impl<T: Send + Sync> RcuStatic<T> {
    /// Creates an empty cell.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        // INVARIANT: The pointer is NULL.
        RcuStatic(AtomicPtr::new(ptr::null_mut()), PhantomData)
    }

    /// Returns the published value, or `None` if there is none.
    ///
    /// # Context
    ///
    /// Any but NMI.
    pub fn get(&self) -> Option<Arc<T>> {
        let _reading = rcu::read_lock();
        let there = self.0.load(Ordering::Acquire);
        // SAFETY: By the type invariants, the pointer is a reference from `Arc::into_foreign`. It
        // is not dropped before this RCU read-side critical section ends.
        (!there.is_null()).then(|| unsafe { <Arc<T>>::borrow(there) }.into())
    }

    /// Publishes `value` until the returned guard is dropped.
    ///
    /// # Errors
    ///
    /// [`EBUSY`] if a value is already published.
    pub fn publish(&'static self, value: Arc<T>) -> Result<RcuStaticGuard<T>> {
        let new = value.into_foreign();
        // INVARIANT: `new` is a reference from `Arc::into_foreign`.
        match self
            .0
            .compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Relaxed)
        {
            // INVARIANT: The exchange has published `new`, and only this guard takes it out.
            Ok(_) => Ok(RcuStaticGuard(self)),
            Err(_) => {
                // SAFETY: `new` is from `into_foreign` above, and was not published.
                drop(unsafe { <Arc<T>>::from_foreign(new) });
                Err(EBUSY)
            }
        }
    }
}

/// Guard that keeps a value published in a [`RcuStatic`].
///
/// # Context
///
/// Dropping waits for an RCU grace period and may therefore sleep. In a context known to be atomic,
/// the value is unpublished but leaked, and a warning is logged.
///
/// # Examples
///
/// ```
/// use kalloc::sys::rcu_static::{RcuStatic, RcuStaticGuard};
/// use kernel::sync::Arc;
///
/// static LIMIT: RcuStatic<u64> = RcuStatic::new();
///
/// /// The module: the value is unpublished when it is dropped.
/// struct Driver {
///     _limit: RcuStaticGuard<u64>,
/// }
///
/// let driver = Driver {
///     _limit: LIMIT.publish(Arc::new(7, GFP_KERNEL)?)?,
/// };
/// assert!(LIMIT.get().is_some());
/// drop(driver);
/// assert!(LIMIT.get().is_none());
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The cell holds a reference, which only this guard takes out.
#[must_use = "the value is unpublished when the guard is dropped"]
pub struct RcuStaticGuard<T: Send + Sync + 'static>(&'static RcuStatic<T>);

impl<T: Send + Sync> Drop for RcuStaticGuard<T> {
    fn drop(&mut self) {
        // INVARIANT: The pointer is NULL.
        let there = self.0 .0.swap(ptr::null_mut(), Ordering::AcqRel);
        if context::known_atomic() {
            pr_warn!("what was published is leaked: it was taken back where nothing may sleep\n");
            return;
        }
        // SAFETY: The caller may sleep: a context known to be atomic has returned above, and the
        // type's documentation requires one that may sleep.
        unsafe { bindings::synchronize_rcu() };
        // SAFETY: By the type invariants, the pointer is a reference from `Arc::into_foreign`. It
        // is no longer published, and the grace period has ended all RCU readers that found it.
        drop(unsafe { <Arc<T>>::from_foreign(there) });
    }
}
