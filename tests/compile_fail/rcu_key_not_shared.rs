// SPDX-License-Identifier: GPL-2.0-only
//! H09: the key, which readers may access at any time, must be `Sync`.
//! error: `UnsafeCell<u64>` cannot be shared between threads safely

use core::cell::UnsafeCell;
use kalloc::slab::{
    Construct,
    Options,
    RcuCache,
    TypesafeByRcu, //
};
use kernel::prelude::*;

pub struct Number(UnsafeCell<u64>);

impl Construct for Number {
    fn construct() -> impl PinInit<Self> {
        Number(UnsafeCell::new(0))
    }
}

kalloc::sites! {
    pub Conns: cache(TypesafeByRcu<Number, u32>), "compile_conn";
}

#[inline(never)]
pub fn case() -> Result {
    RcuCache::<Conns>::new(Options::new()).map(drop)
}
