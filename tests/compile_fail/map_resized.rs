// SPDX-License-Identifier: GPL-2.0-only
//! H63: mapped memory cannot be resized.
//! error: cannot borrow data in dereference of `kernel::sync::Arc<kalloc::Array<PageBytes

use kalloc::{
    mm::mmap::{
        self,
        PageBytes, //
    }, //
    Array,
    Vmalloc,
};
use kernel::{
    mm::virt::VmaNew,
    prelude::*,
    sync::Arc, //
};

kalloc::sites! {
    pub Frames: vmalloc([PageBytes]), "compile_resized";
}

#[inline(never)]
pub fn case(block: &Arc<Array<PageBytes, Vmalloc<Frames>>>, vma: &VmaNew) -> Result {
    mmap::map(block, 0, vma)?.finish()?;
    block.resize(2, GFP_KERNEL)?;
    Ok(())
}
