// SPDX-License-Identifier: GPL-2.0-only
//! A reference to this CPU's value cannot outlive the section with disabled preemption.
//! error: lifetime may not live long enough

use kalloc::sys::percpu::PerCpu;
use kernel::{
    prelude::*,
    sync::atomic::Atomic, //
};

#[inline(never)]
pub fn case(values: &PerCpu<Atomic<u64>>) -> &Atomic<u64> {
    values.this(|value| value)
}
