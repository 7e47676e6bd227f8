// SPDX-License-Identifier: GPL-2.0-only
//! H01: an object cannot outlive its cache.
//! error: `cache` does not live long enough

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
    let object = {
        let cache = KmemCache::<Words>::new(Options::new())?;
        cache.alloc(1, GFP_KERNEL)?
    };
    Ok(*object)
}
