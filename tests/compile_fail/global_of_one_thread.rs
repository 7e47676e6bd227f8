// SPDX-License-Identifier: GPL-2.0
//! What callbacks share is shared between threads.
//! error: cannot be shared between threads safely

use core::cell::Cell;
use kalloc::sys::rcu_static::RcuStatic;

pub static COUNT: RcuStatic<Cell<u64>> = RcuStatic::new();
