// SPDX-License-Identifier: GPL-2.0

//! What the callbacks of a driver share.
//!
//! Some callbacks are given nothing to find their driver's data by: `open` of a misc device, a handler
//! that is called by name. Data that is there as long as the module is, in a `static`, would need a
//! lock that is initialised by hand, and nobody drops it. A [`RcuStatic`] is a place for it that is there
//! from the beginning, and is filled and emptied by the module:
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
//!     // The device first: what stands below goes after it.
//!     _store: RcuStaticGuard<Store>,
//! }
//!
//! /// What the device's `open` does.
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

/// A place for an `Arc<T>`, empty at first.
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
/// // Who has it keeps it.
/// drop(published);
/// assert!(LIMIT.get().is_none());
/// assert_eq!(*limit, 7);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The pointer is NULL, or a reference to a `T` (by [`Arc::into_foreign`]). Who takes it out waits for
/// a grace period of RCU before dropping the reference.
pub struct RcuStatic<T: Send + Sync + 'static>(AtomicPtr<c_void>, PhantomData<Arc<T>>);

// SAFETY: The reference is to something that threads may share.
unsafe impl<T: Send + Sync> Sync for RcuStatic<T> {}

impl<T: Send + Sync> RcuStatic<T> {
    /// An empty place.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        // INVARIANT: NULL.
        RcuStatic(AtomicPtr::new(ptr::null_mut()), PhantomData)
    }

    /// Returns what is there.
    ///
    /// # Context
    ///
    /// Any but NMI.
    pub fn get(&self) -> Option<Arc<T>> {
        let _reading = rcu::read_lock();
        let there = self.0.load(Ordering::Acquire);
        // SAFETY: By the invariants, a reference, which is not dropped before this one ends reading.
        (!there.is_null()).then(|| unsafe { <Arc<T>>::borrow(there) }.into())
    }

    /// Puts `value` there until the result is dropped.
    ///
    /// # Errors
    ///
    /// [`EBUSY`] if something is there.
    pub fn publish(&'static self, value: Arc<T>) -> Result<RcuStaticGuard<T>> {
        let new = value.into_foreign();
        // INVARIANT: A reference.
        match self
            .0
            .compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Relaxed)
        {
            // INVARIANT: Just put there.
            Ok(_) => Ok(RcuStaticGuard(self)),
            Err(_) => {
                // SAFETY: Just made of an `Arc`, and put nowhere.
                drop(unsafe { <Arc<T>>::from_foreign(new) });
                Err(EBUSY)
            }
        }
    }
}

/// Keeps what is in a [`RcuStatic`] there.
///
/// # Context
///
/// Dropped where it may sleep, until nobody is in the middle of [`RcuStatic::get`]. Where that is known not to be
/// allowed, what was published is leaked, with a line in the log: nobody finds it any more.
///
/// # Examples
///
/// ```
/// use kalloc::sys::rcu_static::{RcuStatic, RcuStaticGuard};
/// use kernel::sync::Arc;
///
/// static LIMIT: RcuStatic<u64> = RcuStatic::new();
///
/// /// The module: what it publishes goes with it.
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
/// Something is there, which nobody else takes out.
#[must_use = "what was published is taken back when this is dropped"]
pub struct RcuStaticGuard<T: Send + Sync + 'static>(&'static RcuStatic<T>);

impl<T: Send + Sync> Drop for RcuStaticGuard<T> {
    fn drop(&mut self) {
        // INVARIANT: NULL.
        let there = self.0 .0.swap(ptr::null_mut(), Ordering::AcqRel);
        if context::known_atomic() {
            pr_warn!("what was published is leaked: it was taken back where nothing may sleep\n");
            return;
        }
        // SAFETY: The caller may sleep.
        unsafe { bindings::synchronize_rcu() };
        // SAFETY: By the invariants, a reference, which was there once. Nobody can find it any more, or
        // reads it still.
        drop(unsafe { <Arc<T>>::from_foreign(there) });
    }
}
