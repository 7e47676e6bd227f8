// SPDX-License-Identifier: GPL-2.0-only
//! H142: two threads do not allocate from one arena at once.
//! error: cannot be shared between threads safely

use kalloc::Arena;
use kernel::prelude::*;

kalloc::sites! {
    pub Objects: pages, "compile_arena";
}

fn is_sync<T: Sync>(_: &T) {}

#[inline(never)]
pub fn case(arena: &Arena<Objects>) {
    is_sync(arena);
}
