// SPDX-License-Identifier: GPL-2.0-only
//! H141: an object must fit into a block.
//! error: the object is larger than a block of the arena

use kalloc::Arena;
use kernel::prelude::*;

kalloc::sites! {
    pub Objects: pages, "compile_arena";
}

#[inline(never)]
pub fn case(arena: &Arena<Objects>) -> Result {
    arena.alloc_uninit::<[u8; 4096]>(GFP_KERNEL)?;
    Ok(())
}
