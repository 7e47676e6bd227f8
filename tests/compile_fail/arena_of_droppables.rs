// SPDX-License-Identifier: GPL-2.0-only
//! H141: an arena calls no destructor, so that its objects must not have one.
//! error: an arena calls no destructor of its objects

use kalloc::Arena;
use kernel::prelude::*;

kalloc::sites! {
    pub Objects: pages, "compile_arena";
}

#[inline(never)]
pub fn case(arena: &Arena<Objects>) -> Result {
    arena.alloc(KVec::<u8>::new(), GFP_KERNEL)?;
    Ok(())
}
