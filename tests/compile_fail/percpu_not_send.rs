// SPDX-License-Identifier: GPL-2.0-only
//! H14: the thread that owns per-CPU memory drops the values of all CPUs, so they must be `Send`.
//! error: cannot be sent between threads safely

use kalloc::sys::percpu::PerCpu;
use kernel::sync::lock::mutex::MutexGuard;

fn send<T: Send>(_: &T) {}

#[inline(never)]
pub fn case(values: &PerCpu<MutexGuard<'static, u64>>) {
    send(values);
}
