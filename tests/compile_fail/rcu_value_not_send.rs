// SPDX-License-Identifier: GPL-2.0-only
//! H09, H14: any thread may drop the last reference to a value, so it must be `Send`.
//! error: `*mut ()` cannot be sent between threads safely

use kalloc::slab::{
    Options,
    RcuCache,
    TypesafeByRcu, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Atomic,
        MutexGuard, //
    }, //
};

kalloc::sites! {
    pub Conns: cache(TypesafeByRcu<Atomic<u64>, MutexGuard<'static, u32>>), "compile_conn";
}

#[inline(never)]
pub fn case() -> Result {
    RcuCache::<Conns>::new(Options::new()).map(drop)
}
