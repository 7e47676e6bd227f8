// SPDX-License-Identifier: GPL-2.0-only

//! A worker that periodically samples the high watermarks of all sites.
//!
//! For an exact watermark, each allocation would have to compare it with the sum over all CPUs, and
//! all CPUs would write one cache line. A watermark is therefore the largest value that a reader or
//! this worker has sampled. The worker misses no value that lasts longer than its period.

use crate::{
    accounting::registry,
    sys::{
        bindings,
        work::PeriodicWork, //
    }, //
};

// SAFETY: The helper returns the static item with `kalloc_sample_sites`.
static SAMPLER: PeriodicWork = unsafe { PeriodicWork::new(bindings::kalloc_helper_sampler) };

/// The number of sites that the worker samples before it releases the lock of the registry.
const BATCH: usize = 64;

/// Samples all sites every `period` milliseconds from now on, or never if `period` is 0.
///
/// The worker wakes no idle CPU, which allocates nothing.
pub(crate) fn start(period: u32) {
    SAMPLER.start(period);
}

/// Stops the worker permanently.
pub(crate) fn exit() {
    SAMPLER.cancel();
}

/// Samples all sites, and schedules the next call.
///
/// # Safety
///
/// Only the workqueue may call this.
#[no_mangle]
unsafe extern "C" fn kalloc_sample_sites(_: *mut bindings::work_struct) {
    let mut id = 0;
    while let Some(last) = registry::sample(id, BATCH) {
        id = last;
    }
    SAMPLER.schedule();
}
