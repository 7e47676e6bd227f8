// SPDX-License-Identifier: GPL-2.0-only
//! H14: any callback may drop the last reference to a published value, so it must be `Send`.
//! error: cannot be sent between threads safely

use kalloc::sys::rcu_static::RcuStatic;
use kernel::sync::lock::mutex::MutexGuard;

pub static HELD: RcuStatic<MutexGuard<'static, u64>> = RcuStatic::new();
