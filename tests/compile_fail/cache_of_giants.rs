// SPDX-License-Identifier: GPL-2.0-only
//! H04: a cache cannot have objects above KMALLOC_MAX_SIZE.
//! error: a slab cache cannot have objects above KMALLOC_MAX_SIZE

use kalloc::{
    slab::Options, //
    KmemCache,
};
use kernel::prelude::*;

kalloc::sites! {
    pub Giants: cache([u8; (4 << 20) + 1]), "compile_giant";
}

#[inline(never)]
pub fn case() -> Result {
    KmemCache::<Giants>::new(Options::new()).map(drop)
}
