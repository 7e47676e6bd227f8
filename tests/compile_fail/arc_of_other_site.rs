// SPDX-License-Identifier: GPL-2.0-only
//! H26: an `Arc` of one site is not one of another site, which would count its free.
//! error: mismatched types

use kalloc::Arc;

kalloc::sites! {
    pub Words: kmalloc(u64), "compile_word";
    pub Others: kmalloc(u64), "compile_other";
}

#[inline(never)]
pub fn case(shared: Arc<u64, Words>) -> Arc<u64, Others> {
    shared
}
