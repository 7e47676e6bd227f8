// SPDX-License-Identifier: GPL-2.0
//! H14: values of all CPUs are dropped by the thread that owns them, and so must be fit for that.
//! error: cannot be sent between threads safely

use kalloc::sys::percpu::PerCpu;
use kernel::sync::lock::mutex::MutexGuard;

fn send<T: Send>(_: &T) {}

#[inline(never)]
pub fn case(values: &PerCpu<MutexGuard<'static, u64>>) {
    send(values);
}
