// SPDX-License-Identifier: GPL-2.0
//! What the other cases share; it must compile, or their failing would say nothing.

use kalloc::{
    cache::Options,
    KmemCache,
    Order,
    Pages, //
};
use kernel::prelude::*;

kalloc::sites! {
    pub Words: cache(u64), "compile_word";
    pub Blocks: pages, "compile_block";
}

#[inline(never)]
pub fn case() -> Result<u64> {
    let cache = KmemCache::<Words>::new(Options::new())?;
    let object = cache.alloc(1, GFP_KERNEL)?;
    let block = Pages::<Blocks>::zeroed(Order::of::<10>(), GFP_KERNEL)?;
    let mut batch = cache.batch::<256>();
    batch.fill(GFP_KERNEL)?;
    Ok(*object + u64::from(block[0]))
}
