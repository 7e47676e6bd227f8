// SPDX-License-Identifier: GPL-2.0-only
//! H106: a shared value is not writable.
//! error: cannot assign to data in dereference of `Arc<u64, Words>`

use kalloc::Arc;

kalloc::sites! {
    pub Words: kmalloc(u64), "compile_word";
}

#[inline(never)]
pub fn case(mut shared: Arc<u64, Words>) {
    *shared = 1;
}
