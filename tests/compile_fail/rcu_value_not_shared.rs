// SPDX-License-Identifier: GPL-2.0-only
//! H09, H14: readers share a value, so it must be `Sync`.
//! error: `UnsafeCell<u32>` cannot be shared between threads safely

use core::cell::UnsafeCell;
use kalloc::slab::{
    Options,
    RcuCache,
    TypesafeByRcu, //
};
use kernel::{
    prelude::*,
    sync::atomic::Atomic, //
};

kalloc::sites! {
    pub Conns: cache(TypesafeByRcu<Atomic<u64>, UnsafeCell<u32>>), "compile_conn";
}

#[inline(never)]
pub fn case() -> Result {
    RcuCache::<Conns>::new(Options::new()).map(drop)
}
