// SPDX-License-Identifier: GPL-2.0-only
//! H14: a constructed object that is not `Sync` cannot be shared between threads.
//! error: `Cell<u64>` cannot be shared between threads safely

use core::cell::Cell;
use kalloc::slab::{
    Construct,
    Constructed,
    Reset, //
};
use kernel::prelude::*;

pub struct Number(Cell<u64>);

impl Construct for Number {
    fn construct() -> impl PinInit<Self> {
        Number(Cell::new(0))
    }
}

impl Reset for Number {
    fn reset(self: Pin<&mut Self>) {
        self.0.set(0);
    }
}

kalloc::sites! {
    pub Numbers: cache(Number), "compile_number";
}

fn share<T: Sync>(_: &T) {}

#[inline(never)]
pub fn case(object: &Constructed<Numbers>) {
    share(object);
}
