// SPDX-License-Identifier: GPL-2.0-only
//! H03: a cache cannot have objects of size 0.
//! error: a slab cache cannot have objects of no size

use kalloc::{
    slab::Options, //
    KmemCache,
};
use kernel::prelude::*;

kalloc::sites! {
    pub Nothing: cache(()), "compile_nothing";
}

#[inline(never)]
pub fn case() -> Result {
    KmemCache::<Nothing>::new(Options::new()).map(drop)
}
