// SPDX-License-Identifier: GPL-2.0-only
//! H14: an array of values that are not `Sync` is not `Sync`.
//! error: `UnsafeCell<u64>` cannot be shared between threads safely

use core::cell::UnsafeCell;
use kalloc::{
    Array,
    Vmalloc, //
};

kalloc::sites! {
    pub Numbers: vmalloc([UnsafeCell<u64>]), "compile_number";
}

fn share<T: Sync>(_: &T) {}

#[inline(never)]
pub fn case(array: &Array<UnsafeCell<u64>, Vmalloc<Numbers>>) {
    share(array);
}
