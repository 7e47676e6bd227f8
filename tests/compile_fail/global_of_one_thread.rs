// SPDX-License-Identifier: GPL-2.0-only
//! Callbacks in several threads share a published value, so it must be `Sync`.
//! error: cannot be shared between threads safely

use core::cell::Cell;
use kalloc::sys::rcu_static::RcuStatic;

pub static COUNT: RcuStatic<Cell<u64>> = RcuStatic::new();
