// SPDX-License-Identifier: GPL-2.0-only
//! H01: a batch that borrows its cache cannot outlive the cache.
//! error: `cache` does not live long enough

use kalloc::{
    slab::{
        Batch,
        Options, //
    },
    KmemCache, //
};
use kernel::prelude::*;

kalloc::sites! {
    pub Words: cache(u64), "compile_word";
}

#[inline(never)]
pub fn case() -> Result {
    let batch: Batch<'static, Words, 4>;
    let cache = KmemCache::<Words>::new(Options::new())?;
    batch = cache.batch();
    drop(batch);
    Ok(())
}
