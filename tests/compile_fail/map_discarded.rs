// SPDX-License-Identifier: GPL-2.0-only
//! H64: a prepared mapping cannot be dropped silently.
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
