// SPDX-License-Identifier: GPL-2.0

//! A worker that does what may sleep for those who may not: destroys slab caches without an owner, and
//! frees [deferred](crate::deferred) memory.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::{
    bindings,
    deferred,
    registry, //
};
use kernel::types::Opaque;

/// The work item.
struct Work(Opaque<bindings::work_struct>);

// SAFETY: After `init`, only the workqueue touches the item, and does its own locking.
unsafe impl Sync for Work {}

static WORK: Work = Work(Opaque::uninit());

/// Prepares the worker.
///
/// # Safety
///
/// Must be called once, before any other function here.
pub(crate) unsafe fn init() {
    // SAFETY: The item is static, and not in use yet.
    unsafe { bindings::kalloc_helper_init_work(WORK.0.get(), Some(run)) };
}

/// Has the worker run soon. May be called in any context but NMI.
pub(crate) fn schedule() {
    // SAFETY: The item is initialised: there can be no cache, nor other memory, before.
    unsafe { bindings::kalloc_helper_schedule_work(WORK.0.get()) };
}

/// Waits for the worker, for the last time, and does what it has left.
pub(crate) fn cancel() {
    // SAFETY: The item is initialised.
    unsafe { bindings::cancel_work_sync(WORK.0.get()) };
    deferred::free_all();
}

/// # Safety
///
/// For the workqueue only.
unsafe extern "C" fn run(_: *mut bindings::work_struct) {
    deferred::free_all();
    registry::reap_caches();
}
