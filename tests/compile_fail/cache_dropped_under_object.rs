// SPDX-License-Identifier: GPL-2.0-only
//! H01: a cache cannot be destroyed while it has objects.
//! error: cannot move out of `cache` because it is borrowed

use kalloc::{
    slab::Options, //
    KmemCache,
};
use kernel::prelude::*;

kalloc::sites! {
    pub Words: cache(u64), "compile_word";
}

#[inline(never)]
pub fn case() -> Result<u64> {
    let cache = KmemCache::<Words>::new(Options::new())?;
    let object = cache.alloc(1, GFP_KERNEL)?;
    drop(cache);
    Ok(*object)
}
