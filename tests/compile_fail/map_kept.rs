// SPDX-License-Identifier: GPL-2.0-only
//! H64: a mapping must be finished while its area is being set up, not later.
//! error: borrowed data escapes outside of function

use kalloc::{
    mm::mmap::{
        self,
        Prepared, //
    }, //
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

pub struct Kept(Option<Prepared<'static>>);

#[inline(never)]
pub fn case(block: &Arc<Pages<Blocks>>, vma: &VmaNew, kept: &mut Kept) -> Result {
    kept.0 = Some(mmap::map(block, 0, vma)?);
    Ok(())
}
