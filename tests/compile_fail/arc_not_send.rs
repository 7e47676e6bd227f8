// SPDX-License-Identifier: GPL-2.0-only
//! H14: an `Arc` of a value that is not `Send` is not `Sync`, because its clone may drop the value.
//! error: `*mut u8` cannot be sent between threads safely

use kalloc::Arc;

pub struct Pointer(*mut u8);

// SAFETY: A shared pointer is only compared.
unsafe impl Sync for Pointer {}

kalloc::sites! {
    pub Pointers: kmalloc(Pointer), "compile_pointer";
}

fn share<T: Sync>(_: &T) {}

#[inline(never)]
pub fn case(shared: &Arc<Pointer, Pointers>) {
    share(shared);
}
