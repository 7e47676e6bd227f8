// SPDX-License-Identifier: GPL-2.0
//! H14: what may not change threads does not do so in a cache.
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
