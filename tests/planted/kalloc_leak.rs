// SPDX-License-Identifier: GPL-2.0

//! Leaks on purpose, so that a test can see that it is noticed: a box, and an object of a cache.

use kalloc::{
    cache::Options,
    KBox,
    KmemCache, //
};
use kernel::prelude::*;

module! {
    type: Leak,
    name: "kalloc_leak",
    authors: ["The kalloc authors"],
    description: "Leaks on purpose, for the tests of kalloc",
    license: "GPL",
}

kalloc::sites! {
    Boxes: kmalloc([u8; 100]), "leak_box";
    Objects: cache(u64), "leak_object";
}

struct Leak;

impl kernel::Module for Leak {
    fn init(module: &'static ThisModule) -> Result<Self> {
        kalloc::register(module, SITES)?;
        core::mem::forget(KBox::<[u8; 100], Boxes>::new([0; 100], GFP_KERNEL)?);
        let cache = KmemCache::<Objects>::new(Options::new())?;
        core::mem::forget(cache.alloc(1, GFP_KERNEL)?);
        Ok(Leak)
    }
}
