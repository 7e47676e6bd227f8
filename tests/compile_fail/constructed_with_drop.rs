// SPDX-License-Identifier: GPL-2.0-only
//! H08: a constructed object is freed with its slab, without being dropped.
//! error: what is constructed with its slab is never dropped

use kalloc::slab::{
    Construct,
    ConstructedCache,
    Options,
    Reset, //
};
use kernel::prelude::*;

pub struct Name(Option<KBox<u64>>);

impl Construct for Name {
    fn construct() -> impl PinInit<Self> {
        Name(None)
    }
}

impl Reset for Name {
    fn reset(mut self: Pin<&mut Self>) {
        self.0 = None;
    }
}

kalloc::sites! {
    pub Names: cache(Name), "compile_name";
}

#[inline(never)]
pub fn case() -> Result {
    ConstructedCache::<Names>::new(Options::new()).map(drop)
}
