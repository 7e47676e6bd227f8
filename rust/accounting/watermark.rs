// SPDX-License-Identifier: GPL-2.0-only

//! A worker that periodically samples the high watermarks of all sites.
//!
//! For an exact watermark, each allocation would have to compare it with the sum over all CPUs, and
//! all CPUs would write one cache line. A watermark is therefore the largest value that a reader or
//! this worker has sampled. The worker misses no value that lasts longer than its period.

use crate::{
    accounting::registry,
    sys::work::PeriodicWork, //
};

static SAMPLER: PeriodicWork = PeriodicWork::new(sample_all);

/// The number of sites that the worker samples before it releases the lock of the registry.
const BATCH: usize = 64;

/// Initializes the worker.
///
/// # Safety
///
/// The caller must call this once, before any other function of this module.
pub(crate) unsafe fn init() {
    // SAFETY: By the requirement that this function is called once and first, the item is not in
    // use.
    unsafe { SAMPLER.init() };
}

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

fn sample_all() {
    let mut id = 0;
    while let Some(last) = registry::sample(id, BATCH) {
        id = last;
    }
}
