// SPDX-License-Identifier: GPL-2.0-only
//! H22: the elements of an array, which can shrink, must not need `Drop`.
//! error: elements of an Array cannot need Drop

use kalloc::{
    Array,
    KBox,
    Kmalloc, //
};
use kernel::prelude::*;

kalloc::sites! {
    pub Words: kmalloc(u64), "compile_word";
    pub Arrays: kmalloc([Option<KBox<u64, Words>>]), "compile_array";
}

#[inline(never)]
pub fn case() -> Result {
    drop(Array::<Option<KBox<u64, Words>>, Kmalloc<Arrays>>::zeroed(
        4, GFP_KERNEL,
    )?);
    Ok(())
}
