// SPDX-License-Identifier: GPL-2.0-only
//! A per-CPU value that is too large for the stack must be initialized in place.
//! error: initialize it in place

use kalloc::sys::percpu::PerCpu;
use kernel::{
    prelude::*,
    sync::atomic::Atomic, //
};

type Large = [Atomic<u64>; 257];

#[inline(never)]
pub fn case() -> Result<PerCpu<Large>> {
    Ok(PerCpu::new(GFP_KERNEL, |_| {
        [const { Atomic::new(0) }; 257]
    })?)
}
