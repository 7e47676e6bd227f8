// SPDX-License-Identifier: GPL-2.0
//! H14: any callback may be the last to have what is shared, and drop it.
//! error: cannot be sent between threads safely

use kalloc::sys::rcu_static::Global;
use kernel::sync::lock::mutex::MutexGuard;

pub static HELD: Global<MutexGuard<'static, u64>> = Global::new();
