// SPDX-License-Identifier: GPL-2.0-only
//! H47: uninitialized pages cannot be mapped to user space.
//! error: the trait bound `Block<StructPage, Blocks, MaybeUninit<u8>>: Mappable` is not satisfied

use core::mem::MaybeUninit;
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
pub fn case(block: &Arc<Pages<Blocks, MaybeUninit<u8>>>, vma: &VmaNew) -> Result {
    mmap::map(block, 0, vma)?.finish()
}
