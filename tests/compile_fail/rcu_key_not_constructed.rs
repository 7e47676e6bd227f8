// SPDX-License-Identifier: GPL-2.0-only
//! H09: the key, which readers may access at any time, must be constructed with its slab.
//! error: the trait bound `[u32; 4]: Construct` is not satisfied

use kalloc::slab::{
    Options,
    RcuCache,
    TypesafeByRcu, //
};
use kernel::prelude::*;

kalloc::sites! {
    pub Conns: cache(TypesafeByRcu<[u32; 4], u32>), "compile_conn";
}

#[inline(never)]
pub fn case() -> Result {
    RcuCache::<Conns>::new(Options::new()).map(drop)
}
