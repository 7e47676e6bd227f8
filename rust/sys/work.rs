// SPDX-License-Identifier: GPL-2.0

//! Static work items: one that runs when it is scheduled, and one that runs periodically.
//!
//! [`kernel::workqueue`] has no function that cancels a work item and waits for it, and no deferrable
//! items. A module that is unloaded needs the first; a worker that wakes no idle CPU needs the second.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::sys::bindings;
use core::sync::atomic::{
    AtomicU32,
    Ordering, //
};
use kernel::types::Opaque;

/// A work item (`struct work_struct`) that calls a function in process context.
#[repr(C)]
pub(crate) struct StaticWork {
    // The first field, so that a pointer to the C item is a pointer to all.
    item: Opaque<bindings::work_struct>,
    function: fn(),
}

// SAFETY: After `init`, only the workqueue touches the item, and does its own locking.
unsafe impl Sync for StaticWork {}

impl StaticWork {
    /// Creates an item that calls `function`.
    pub(crate) const fn new(function: fn()) -> Self {
        StaticWork {
            item: Opaque::uninit(),
            function,
        }
    }

    /// Initializes the item.
    ///
    /// # Safety
    ///
    /// Must be called once, before any other method.
    pub(crate) unsafe fn init(&'static self) {
        // SAFETY: The item is static, and not in use yet.
        unsafe { bindings::kalloc_helper_init_work(self.item.get(), Some(Self::run)) };
    }

    /// Schedules the item, unless it is scheduled already. For any context but NMI.
    pub(crate) fn schedule(&'static self) {
        // SAFETY: The module initializes the item before there is anything to schedule it for.
        unsafe { bindings::kalloc_helper_schedule_work(self.item.get()) };
    }

    /// Cancels the item, and waits for the function to return.
    pub(crate) fn cancel(&'static self) {
        // SAFETY: The item is initialized, as in `schedule`.
        unsafe { bindings::cancel_work_sync(self.item.get()) };
    }

    /// # Safety
    ///
    /// For the workqueue only, with the item of a `StaticWork`.
    unsafe extern "C" fn run(item: *mut bindings::work_struct) {
        // SAFETY: The item is the first field of a static.
        let this = unsafe { &*item.cast::<Self>() };
        (this.function)();
    }
}

/// A deferrable work item (`struct delayed_work`) that calls a function periodically, and does not wake
/// an idle CPU for it.
#[repr(C)]
pub(crate) struct PeriodicWork {
    // The first field, which begins with the `struct work_struct`.
    item: Opaque<bindings::delayed_work>,
    /// Milliseconds from one call to the next; 0 if there is none.
    period: AtomicU32,
    function: fn(),
}

// SAFETY: After `init`, only the workqueue touches the item, and does its own locking.
unsafe impl Sync for PeriodicWork {}

impl PeriodicWork {
    /// Creates an item that calls `function`.
    pub(crate) const fn new(function: fn()) -> Self {
        PeriodicWork {
            item: Opaque::uninit(),
            period: AtomicU32::new(0),
            function,
        }
    }

    /// Initializes the item.
    ///
    /// # Safety
    ///
    /// Must be called once, before any other method.
    pub(crate) unsafe fn init(&'static self) {
        // SAFETY: The item is static, and not in use yet.
        unsafe { bindings::kalloc_helper_init_deferrable_work(self.item.get(), Some(Self::run)) };
    }

    /// Calls the function every `period` milliseconds from now on, or never if `period` is 0.
    pub(crate) fn start(&'static self, period: u32) {
        self.period.store(period, Ordering::Relaxed);
        self.schedule();
    }

    fn schedule(&'static self) {
        let period = self.period.load(Ordering::Relaxed);
        if period != 0 {
            // SAFETY: The item is initialized: nothing starts it before.
            unsafe { bindings::kalloc_helper_schedule_delayed_work(self.item.get(), period) };
        }
    }

    /// Cancels the item for good, and waits for the function to return.
    pub(crate) fn cancel(&'static self) {
        // SAFETY: The item is initialized, as in `schedule`.
        unsafe { bindings::cancel_delayed_work_sync(self.item.get()) };
    }

    /// # Safety
    ///
    /// For the workqueue only, with the item of a `PeriodicWork`.
    unsafe extern "C" fn run(item: *mut bindings::work_struct) {
        // SAFETY: The item is the first field of a static.
        let this: &'static Self = unsafe { &*item.cast::<Self>() };
        (this.function)();
        this.schedule();
    }
}
