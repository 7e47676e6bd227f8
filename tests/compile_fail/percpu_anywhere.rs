// SPDX-License-Identifier: GPL-2.0-only
//! Per-CPU counters must be in per-CPU memory.
//! error: is unsafe and requires unsafe

use kalloc::accounting::static_counters::StaticCounters;

static COUNTERS: StaticCounters = StaticCounters::new();

#[inline(never)]
pub fn case() -> &'static StaticCounters {
    &COUNTERS
}
