// SPDX-License-Identifier: GPL-2.0-only
//! H29: shared pages cannot be written.
//! error: cannot assign to data in dereference of `SharedPages<Blocks>`

use kalloc::SharedPages;

kalloc::sites! {
    pub Blocks: pages, "compile_block";
}

#[inline(never)]
pub fn case(shared: &mut SharedPages<Blocks>) {
    shared[0] = 1;
}
