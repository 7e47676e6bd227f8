// SPDX-License-Identifier: GPL-2.0-only

//! Static work items: one-shot and periodic.
//!
//! [`kernel::workqueue`] has no function that cancels a work item and waits for it, and no
//! deferrable items. Module unload needs the first; a worker that wakes no idle CPU needs the
//! second.
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
    // The first field, so that a pointer to the C item is a pointer to the `StaticWork`.
    _item: Opaque<bindings::work_struct>,
    function: fn(),
}

// SAFETY: After `init`, only the workqueue code accesses the item, under its own locks.
unsafe impl Sync for StaticWork {}

impl StaticWork {
    /// Creates an item that calls `function`.
    pub(crate) const fn new(function: fn()) -> Self {
        StaticWork {
            _item: Opaque::uninit(),
            function,
        }
    }

    /// Initializes the item.
    ///
    /// # Safety
    ///
    /// The caller must call this once, before any other method.
    pub(crate) unsafe fn init(&'static self) {
        // SAFETY: The item is static, and is not in use yet by the requirement of this function.
        unsafe { bindings::kalloc_helper_init_work(self.item(), Some(Self::run)) };
    }

    /// Schedules the item, unless it is scheduled already.
    ///
    /// # Context
    ///
    /// Any but NMI.
    pub(crate) fn schedule(&'static self) {
        // SAFETY: The module's `init` initializes the item before any code schedules it.
        unsafe { bindings::kalloc_helper_schedule_work(self.item()) };
    }

    /// Cancels the item, and waits for the function to return.
    pub(crate) fn cancel(&'static self) {
        // SAFETY: The module's `init` initializes the item before any code cancels it.
        unsafe { bindings::cancel_work_sync(self.item()) };
    }

    /// Returns the C item. The pointer is valid for the whole static, which the callback casts it to.
    fn item(&'static self) -> *mut bindings::work_struct {
        core::ptr::from_ref(self).cast_mut().cast()
    }

    /// Calls the function of a [`StaticWork`].
    ///
    /// # Safety
    ///
    /// Only the workqueue may call this, with the item of a `StaticWork`.
    unsafe extern "C" fn run(item: *mut bindings::work_struct) {
        // SAFETY: `item` is the first field of a static `StaticWork`, by the requirement of this
        // function.
        let this = unsafe { &*item.cast::<Self>() };
        (this.function)();
    }
}

/// A deferrable work item (`struct delayed_work`) that calls a function periodically without waking
/// an idle CPU.
#[repr(C)]
pub(crate) struct PeriodicWork {
    // The first field, which begins with a `struct work_struct`.
    _item: Opaque<bindings::delayed_work>,
    /// Milliseconds between two calls; 0 if the item is not periodic.
    period: AtomicU32,
    function: fn(),
}

// SAFETY: After `init`, only the workqueue code accesses the item, under its own locks. The other
// fields are atomic or constant.
unsafe impl Sync for PeriodicWork {}

impl PeriodicWork {
    /// Creates an item that calls `function`.
    pub(crate) const fn new(function: fn()) -> Self {
        PeriodicWork {
            _item: Opaque::uninit(),
            period: AtomicU32::new(0),
            function,
        }
    }

    /// Initializes the item.
    ///
    /// # Safety
    ///
    /// The caller must call this once, before any other method.
    pub(crate) unsafe fn init(&'static self) {
        // SAFETY: The item is static, and is not in use yet by the requirement of this function.
        unsafe { bindings::kalloc_helper_init_deferrable_work(self.item(), Some(Self::run)) };
    }

    /// Calls the function every `period` milliseconds from now on. If `period` is 0, it is not
    /// called.
    pub(crate) fn start(&'static self, period: u32) {
        self.period.store(period, Ordering::Relaxed);
        self.schedule();
    }

    fn schedule(&'static self) {
        let period = self.period.load(Ordering::Relaxed);
        if period != 0 {
            // SAFETY: The module's `init` initializes the item before any code starts it.
            unsafe { bindings::kalloc_helper_schedule_delayed_work(self.item(), period) };
        }
    }

    /// Cancels the item permanently, and waits for the function to return.
    pub(crate) fn cancel(&'static self) {
        // SAFETY: The module's `init` initializes the item before any code cancels it.
        unsafe { bindings::cancel_delayed_work_sync(self.item()) };
    }

    /// Returns the C item. The pointer is valid for the whole static, which the callback casts it to.
    fn item(&'static self) -> *mut bindings::delayed_work {
        core::ptr::from_ref(self).cast_mut().cast()
    }

    /// Calls the function of a [`PeriodicWork`], and schedules the next call.
    ///
    /// # Safety
    ///
    /// Only the workqueue may call this, with the item of a `PeriodicWork`.
    unsafe extern "C" fn run(item: *mut bindings::work_struct) {
        // SAFETY: `item` is the start of the first field of a static `PeriodicWork`, by the
        // requirement of this function.
        let this: &'static Self = unsafe { &*item.cast::<Self>() };
        (this.function)();
        this.schedule();
    }
}
