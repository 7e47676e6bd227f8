// SPDX-License-Identifier: GPL-2.0
//! H64: a mapping that is prepared is finished, not forgotten by the way.
//! error: unused `Prepared` that must be used

#![deny(unused_must_use)]

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
    mmap::map(block, 0, vma)?;
    Ok(())
}
