// SPDX-License-Identifier: GPL-2.0

//! A worker that looks at all sites from time to time, for the high-water marks.
//!
//! An exact mark would have every allocation compare what is live on all CPUs with it: a cache line
//! that they all write. So a mark is the most that was ever seen, by a reader or by this worker. What
//! stays live for longer than the worker's period is never missed.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::{
    bindings,
    registry, //
};
use core::sync::atomic::{
    AtomicU32,
    Ordering, //
};
use kernel::types::Opaque;

/// The work item.
struct Work(Opaque<bindings::delayed_work>);

// SAFETY: After `init`, only the workqueue touches the item, and does its own locking.
unsafe impl Sync for Work {}

static WORK: Work = Work(Opaque::uninit());

/// Milliseconds between two looks; 0 for none.
static PERIOD: AtomicU32 = AtomicU32::new(0);

/// How many sites are looked at before the list's lock is let go.
const AT_ONCE: usize = 64;

/// Prepares the worker.
///
/// # Safety
///
/// Must be called once, before any other function here.
pub(crate) unsafe fn init() {
    // SAFETY: The item is static, and not in use yet.
    unsafe { bindings::kalloc_helper_init_deferrable_work(WORK.0.get(), Some(run)) };
}

/// Has the worker look every `period` milliseconds from now on, but wake no CPU that is idle: there,
/// nothing is allocated.
pub(crate) fn start(period: u32) {
    PERIOD.store(period, Ordering::Relaxed);
    schedule();
}

fn schedule() {
    let period = PERIOD.load(Ordering::Relaxed);
    if period != 0 {
        // SAFETY: The item is initialised: nothing starts the worker before.
        unsafe { bindings::kalloc_helper_schedule_delayed_work(WORK.0.get(), period) };
    }
}

/// Stops the worker, for good.
pub(crate) fn cancel() {
    // SAFETY: The item is initialised.
    unsafe { bindings::cancel_delayed_work_sync(WORK.0.get()) };
}

/// # Safety
///
/// For the workqueue only.
unsafe extern "C" fn run(_: *mut bindings::work_struct) {
    let mut id = 0;
    while let Some(last) = registry::look(id, AT_ONCE) {
        id = last;
    }
    schedule();
}
