// SPDX-License-Identifier: GPL-2.0-only
//! H41: a block cannot be used after it was split.
//! error: use of moved value: `block`

use kalloc::{
    Order,
    Pages, //
};
use kernel::prelude::*;

kalloc::sites! {
    pub Blocks: pages, "compile_block";
}

#[inline(never)]
pub fn case() -> Result<usize> {
    let block = Pages::<Blocks>::zeroed(Order::of::<2>(), GFP_KERNEL)?;
    let pages = block.split_pages();
    drop(block);
    Ok(pages.len())
}
