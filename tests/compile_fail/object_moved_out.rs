// SPDX-License-Identifier: GPL-2.0-only
//! A slab object that is too large for the stack cannot be moved out.
//! error: initialize it in place

use kalloc::slab::Object;

kalloc::sites! {
    pub Large: cache([u64; 257]), "compile_large";
}

#[inline(never)]
pub fn case(object: Object<'_, Large>) -> u64 {
    object.into_inner()[7]
}
