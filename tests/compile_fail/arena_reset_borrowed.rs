// SPDX-License-Identifier: GPL-2.0-only
//! H140: an arena is not reset while an object is borrowed.
//! error: cannot borrow `*arena` as mutable because it is also borrowed as immutable

use kalloc::Arena;
use kernel::prelude::*;

kalloc::sites! {
    pub Objects: pages, "compile_arena";
}

#[inline(never)]
pub fn case(arena: &mut Arena<Objects>) -> Result {
    let object = arena.alloc(1u64, GFP_KERNEL)?;
    arena.reset();
    *object = 2;
    Ok(())
}
