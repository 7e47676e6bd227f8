// SPDX-License-Identifier: GPL-2.0-only
//! H106: a borrowed `Arc` cannot outlive its owner.
//! error: cannot move out of `owner` because it is borrowed

use kalloc::Arc;

kalloc::sites! {
    pub Words: kmalloc(u64), "compile_word";
}

#[inline(never)]
pub fn case(owner: Arc<u64, Words>) -> u64 {
    let borrowed = owner.as_arc_borrow();
    drop(owner);
    *borrowed
}
