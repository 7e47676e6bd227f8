// SPDX-License-Identifier: GPL-2.0-only
//! H47: uninitialized pages cannot be read.
//! error: mismatched types

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
    let block = Pages::<Blocks, _>::uninit(Order::ZERO, GFP_KERNEL)?;
    let first: u8 = block[0];
    Ok(first)
}
