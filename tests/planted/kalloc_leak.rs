// SPDX-License-Identifier: GPL-2.0

//! Leaks on purpose, so that a test can see that it is noticed: a box, an object of a cache, and a
//! file.

use kalloc::{
    cache::Options,
    procfs::{
        ProcFile,
        Readers, //
    },
    seq::{
        Output,
        Records, //
    },
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

/// What a file shows whose owner is forgotten, so that it is there when its module is not.
struct Nothing;

impl Records for Nothing {
    fn seek(&self, _: u64) -> Option<u64> {
        None
    }

    fn show(&self, _: u64, _: &mut Output) {}
}

impl kernel::Module for Leak {
    fn init(module: &'static ThisModule) -> Result<Self> {
        kalloc::register(module, SITES)?;
        core::mem::forget(KBox::<[u8; 100], Boxes>::new([0; 100], GFP_KERNEL)?);
        let cache = KmemCache::<Objects>::new(Options::new())?;
        core::mem::forget(cache.alloc(1, GFP_KERNEL)?);
        let file = ProcFile::new(module, c"leak_file", Readers::Root, Nothing);
        core::mem::forget(kernel::alloc::KBox::pin_init(file, GFP_KERNEL)?);
        Ok(Leak)
    }
}
