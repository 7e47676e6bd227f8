// SPDX-License-Identifier: GPL-2.0-only
//! H140: an object borrows its arena.
//! error: cannot move out of `arena` because it is borrowed

use kalloc::Arena;
use kernel::prelude::*;

kalloc::sites! {
    pub Objects: pages, "compile_arena";
}

#[inline(never)]
pub fn case() -> Result {
    let object: &mut u64;
    let arena = Arena::<Objects>::new();
    object = arena.alloc(1, GFP_KERNEL)?;
    drop(arena);
    *object = 2;
    Ok(())
}
