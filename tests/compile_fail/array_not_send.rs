// SPDX-License-Identifier: GPL-2.0-only
//! H14: an array of values that are not `Send` is not `Send`.
//! error: `*mut u8` cannot be sent between threads safely

use kalloc::{
    Array,
    Kmalloc, //
};

kalloc::sites! {
    pub Pointers: kmalloc([*mut u8]), "compile_pointer";
}

fn send<T: Send>(_: &T) {}

#[inline(never)]
pub fn case(array: &Array<*mut u8, Kmalloc<Pointers>>) {
    send(array);
}
