// SPDX-License-Identifier: GPL-2.0

//! A worker that samples all sites periodically, for their high watermarks.
//!
//! For an exact watermark, each allocation would have to compare it with the live bytes of all CPUs: a
//! cache line that every CPU writes. So a watermark is the highest value that a reader or this worker
//! saw. The worker misses no value that lasts for longer than its period.

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
/// Must be called once, before any other function here.
pub(crate) unsafe fn init() {
    // SAFETY: By the requirement of this function, this is the first use of the item.
    unsafe { SAMPLER.init() };
}

/// Samples all sites every `period` milliseconds from now on, or never if `period` is 0. Wakes no idle
/// CPU, which allocates nothing.
pub(crate) fn start(period: u32) {
    SAMPLER.start(period);
}

/// Stops the worker for good.
pub(crate) fn exit() {
    SAMPLER.cancel();
}

fn sample_all() {
    let mut id = 0;
    while let Some(last) = registry::sample(id, BATCH) {
        id = last;
    }
}
