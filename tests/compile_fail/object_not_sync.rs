// SPDX-License-Identifier: GPL-2.0-only
//! H14: an object in a cache is not `Sync` if its type is not.
//! error: `Cell<u64>` cannot be shared between threads safely

use core::cell::Cell;
use kalloc::slab::ArcObject;

kalloc::sites! {
    pub Numbers: cache(Cell<u64>), "compile_number";
}

fn share<T: Sync>(_: &T) {}

#[inline(never)]
pub fn case(object: &ArcObject<Numbers>) {
    share(object);
}
