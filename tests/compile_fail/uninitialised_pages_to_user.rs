// SPDX-License-Identifier: GPL-2.0-only
//! H47: uninitialized pages cannot be copied to user space.
//! error: mismatched types

use kalloc::{
    Order,
    Pages, //
};
use kernel::{
    prelude::*,
    uaccess::UserSliceWriter, //
};

kalloc::sites! {
    pub Blocks: pages, "compile_block";
}

#[inline(never)]
pub fn case(writer: &mut UserSliceWriter) -> Result {
    let block = Pages::<Blocks, _>::uninit(Order::ZERO, GFP_KERNEL)?;
    writer.write_slice(&block)
}
