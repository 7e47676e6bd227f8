// SPDX-License-Identifier: GPL-2.0-only
//! H44: a compound page has one reference count, and cannot be split.
//! error: the method `split_pages` exists for struct

use kalloc::{
    CompoundPages,
    Order, //
};
use kernel::prelude::*;

kalloc::sites! {
    pub Blocks: pages, "compile_block";
}

#[inline(never)]
pub fn case() -> Result<usize> {
    let block = CompoundPages::<Blocks>::zeroed(Order::of::<2>(), GFP_KERNEL)?;
    Ok(block.split_pages().len())
}
