// SPDX-License-Identifier: GPL-2.0-only
//! H29: a block cannot be used after it was dropped.
//! error: borrow of moved value: `word`

use kalloc::KBox;
use kernel::prelude::*;

kalloc::sites! {
    pub Words: kmalloc(u64), "compile_word";
}

#[inline(never)]
pub fn case() -> Result<u64> {
    let word = KBox::<u64, Words>::new(1, GFP_KERNEL)?;
    drop(word);
    Ok(*word)
}
