// SPDX-License-Identifier: GPL-2.0-only
//! Other CPUs and interrupts access a per-CPU value, so it must be `Sync`.
//! error: cannot be shared between threads safely

use core::cell::Cell;
use kalloc::sys::percpu::PerCpu;
use kernel::prelude::*;

#[inline(never)]
pub fn case() -> Result {
    PerCpu::new(GFP_KERNEL, |_| Cell::new(0))?.this(|value| value.set(1));
    Ok(())
}
