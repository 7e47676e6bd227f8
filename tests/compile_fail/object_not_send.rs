// SPDX-License-Identifier: GPL-2.0-only
//! H14: an object in a cache is not `Send` if its type is not.
//! error: cannot be sent between threads safely

use kalloc::slab::ArcObject;

kalloc::sites! {
    pub Pointers: cache(*mut u8), "compile_pointer";
}

fn send<T: Send>(_: &T) {}

#[inline(never)]
pub fn case(object: &ArcObject<Pointers>) {
    send(object);
}
