// SPDX-License-Identifier: GPL-2.0-only
//! H10: a batch is located on the stack, which limits its size.
//! error: a batch is on the stack: at most 256 slots

use kalloc::{
    slab::Options, //
    KmemCache,
};
use kernel::prelude::*;

kalloc::sites! {
    pub Words: cache(u64), "compile_word";
}

#[inline(never)]
pub fn case() -> Result {
    KmemCache::<Words>::new(Options::new())?
        .batch::<257>()
        .fill(GFP_KERNEL)?;
    Ok(())
}
