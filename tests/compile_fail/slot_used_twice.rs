// SPDX-License-Identifier: GPL-2.0-only
//! H29: a slot holds one object.
//! error: use of moved value: `slot`

use kalloc::{
    slab::Options, //
    KmemCache,
};
use kernel::prelude::*;

kalloc::sites! {
    pub Words: cache(u64), "compile_word";
}

#[inline(never)]
pub fn case() -> Result {
    let cache = KmemCache::<Words>::new(Options::new())?;
    let slot = cache.reserve(GFP_KERNEL)?;
    let first = slot.write(1);
    let second = slot.write(2);
    drop((first, second));
    Ok(())
}
