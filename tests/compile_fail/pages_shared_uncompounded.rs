// SPDX-License-Identifier: GPL-2.0-only
//! H44: only a compound page can be shared.
//! error: no method named `share` found

use kalloc::{
    Order,
    Pages, //
};
use kernel::prelude::*;

kalloc::sites! {
    pub Blocks: pages, "compile_block";
}

#[inline(never)]
pub fn case() -> Result<u8> {
    let block = Pages::<Blocks>::zeroed(Order::of::<2>(), GFP_KERNEL)?;
    Ok(block.share()[0])
}
