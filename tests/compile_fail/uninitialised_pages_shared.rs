// SPDX-License-Identifier: GPL-2.0-only
//! H47: uninitialized pages cannot be shared.
//! error: no method named `share` found

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
    let block = CompoundPages::<Blocks, _>::uninit(Order::of::<2>(), GFP_KERNEL)?;
    Ok(block.share().len())
}
