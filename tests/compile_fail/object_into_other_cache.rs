// SPDX-License-Identifier: GPL-2.0-only
//! H02: an object cannot be freed to the cache of another site.
//! error: `?` operator has incompatible types

use kalloc::{
    slab::Options, //
    KmemCache,
};
use kernel::prelude::*;

kalloc::sites! {
    pub Words: cache(u64), "compile_word";
    pub Others: cache(u64), "compile_other";
}

#[inline(never)]
pub fn case() -> Result {
    let words = KmemCache::<Words>::new(Options::new())?;
    let others = KmemCache::<Others>::new(Options::new())?;
    let mut batch = others.batch::<4>();
    batch.put(words.alloc(1, GFP_KERNEL)?);
    Ok(())
}
