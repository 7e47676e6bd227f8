// SPDX-License-Identifier: GPL-2.0-only
//! H26: memory of one family cannot be counted or freed as memory of another.
//! error: type mismatch resolving `<Blocks as Tag>::Family == Kmalloc`

use kalloc::KBox;
use kernel::prelude::*;

kalloc::sites! {
    pub Blocks: pages, "compile_block";
}

#[inline(never)]
pub fn case() -> Result {
    drop(KBox::<u64, Blocks>::new(1, GFP_KERNEL)?);
    Ok(())
}
