// SPDX-License-Identifier: GPL-2.0-only
//! H110: a page that the kernel crate can map into user space is not a slice of bytes.
//! error: cannot move out of `block` because it is borrowed

use kalloc::Pages;

kalloc::sites! {
    pub Blocks: pages, "compile_block";
}

#[inline(never)]
pub fn case(block: Pages<Blocks>) -> Option<u8> {
    let first = block.first();
    let page = block.into_page();
    drop(page);
    first.copied()
}
