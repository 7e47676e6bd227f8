// SPDX-License-Identifier: GPL-2.0-only
//! The kernel limits a per-CPU value to 32 KiB.
//! error: too large for a value for each CPU

use kalloc::sys::percpu::PerCpu;
use kernel::prelude::*;

#[inline(never)]
pub fn case() -> Result<PerCpu<[u64; 4097]>> {
    Ok(PerCpu::zeroed(GFP_KERNEL)?)
}
