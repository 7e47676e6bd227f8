// SPDX-License-Identifier: GPL-2.0-only
//! H64: `mmap` cannot return a mapping that is only prepared.
//! error: mismatched types

use kalloc::{
    mm::mmap, //
    Pages,
};
use kernel::{
    mm::virt::VmaNew,
    prelude::*,
    sync::Arc, //
};

kalloc::sites! {
    pub Blocks: pages, "compile_block";
}

#[inline(never)]
pub fn case(block: &Arc<Pages<Blocks>>, vma: &VmaNew) -> Result {
    mmap::map(block, 0, vma)
}
