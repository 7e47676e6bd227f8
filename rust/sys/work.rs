// SPDX-License-Identifier: GPL-2.0-only

//! Static work items: one-shot and periodic.
//!
//! [`kernel::workqueue`] has no function that cancels a work item and waits for it, no deferrable
//! items, and none that the compiler initializes. Module unload needs the first; a worker that wakes
//! no idle CPU needs the second. A driver that is built into the kernel may schedule an item before
//! this crate's own initcall, which needs the third.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::sys::bindings;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// A work item (`struct work_struct`, from `DECLARE_WORK`) that calls a function in process
/// context.
///
/// # Invariants
///
/// The function always returns the same item, which is static and initialized.
pub(crate) struct StaticWork(unsafe extern "C" fn() -> *mut bindings::work_struct);

impl StaticWork {
    /// Creates an owner of the item that `item` returns.
    ///
    /// # Safety
    ///
    /// - `item` must always return the same item. It must be static and initialized by the compiler.
    /// - `item` must be safe to call in any context.
    pub(crate) const unsafe fn new(
        item: unsafe extern "C" fn() -> *mut bindings::work_struct,
    ) -> Self {
        // INVARIANT: `item` satisfies the invariants by the requirements of this function.
        StaticWork(item)
    }

    /// Schedules the item, unless it is scheduled already.
    ///
    /// # Context
    ///
    /// Any but NMI.
    pub(crate) fn schedule(&self) {
        // SAFETY: By the type invariants, the function returns an initialized static item.
        unsafe { bindings::kalloc_helper_schedule_work((self.0)()) };
    }

    /// Cancels the item, and waits for the function to return.
    pub(crate) fn cancel(&self) {
        // SAFETY: By the type invariants, the function returns an initialized static item.
        unsafe { bindings::cancel_work_sync((self.0)()) };
    }
}

/// A deferrable work item (`struct delayed_work`, from `DECLARE_DEFERRABLE_WORK`) that calls a
/// function without waking an idle CPU. The function schedules the next call.
///
/// # Invariants
///
/// `item` always returns the same item, which is static and initialized.
pub(crate) struct PeriodicWork {
    item: unsafe extern "C" fn() -> *mut bindings::delayed_work,
    /// Milliseconds between two calls; 0 if the item is not periodic.
    period: Atomic<u32>,
}

impl PeriodicWork {
    /// Creates an owner of the item that `item` returns.
    ///
    /// # Safety
    ///
    /// - `item` must always return the same item. It must be static and initialized by the compiler.
    /// - `item` must be safe to call in any context.
    pub(crate) const unsafe fn new(
        item: unsafe extern "C" fn() -> *mut bindings::delayed_work,
    ) -> Self {
        // INVARIANT: `item` satisfies the invariants by the requirements of this function.
        PeriodicWork {
            item,
            period: Atomic::new(0),
        }
    }

    /// Calls the function every `period` milliseconds from now on. If `period` is 0, it is not
    /// called.
    pub(crate) fn start(&self, period: u32) {
        self.period.store(period, Relaxed);
        self.schedule();
    }

    /// Schedules the next call.
    pub(crate) fn schedule(&self) {
        let period = self.period.load(Relaxed);
        if period != 0 {
            // SAFETY: By the type invariants, the function returns an initialized static item.
            unsafe { bindings::kalloc_helper_schedule_delayed_work((self.item)(), period) };
        }
    }

    /// Cancels the item permanently, and waits for the function to return.
    pub(crate) fn cancel(&self) {
        // SAFETY: By the type invariants, the function returns an initialized static item.
        unsafe { bindings::cancel_delayed_work_sync((self.item)()) };
    }
}
