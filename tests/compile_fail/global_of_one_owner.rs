// SPDX-License-Identifier: GPL-2.0
//! H14: any callback may be the last to have what is shared, and drop it.
//! error: cannot be sent between threads safely

use kalloc::sys::rcu_static::RcuStatic;
use kernel::sync::lock::mutex::MutexGuard;

pub static HELD: RcuStatic<MutexGuard<'static, u64>> = RcuStatic::new();
