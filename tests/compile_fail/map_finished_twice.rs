// SPDX-License-Identifier: GPL-2.0-only
//! H64: an area gets one reference to the memory.
//! error: use of moved value: `prepared`

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
    let prepared = mmap::map(block, 0, vma)?;
    prepared.finish()?;
    prepared.finish()
}
