// SPDX-License-Identifier: GPL-2.0-only

//! Leaks on purpose, so that a test can check the report: memory of each family, a file, a
//! published value that is unpublished in atomic context, and the directory in debugfs.

use kalloc::{
    fs::{
        debugfs,
        procfs::{
            Mode, //
            ProcFile,
        },
        seq_file::{
            SeqFile,
            SeqOps, //
        }, //
    },
    slab::Options,
    sys::rcu_static::RcuStatic, //
    Array,
    KBox,
    KmemCache,
    Order,
    Pages,
    Vmalloc,
};
use kernel::{
    prelude::*,
    sync::{
        rcu,
        Arc, //
    }, //
};

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
    Blocks: pages, "leak_block";
    Areas: vmalloc([u8]), "leak_area";
}

static NUMBER: RcuStatic<u64> = RcuStatic::new();

struct Leak;

/// The records of a file with a forgotten owner. The file exists until the module is unloaded.
struct Nothing;

impl SeqOps for Nothing {
    fn start(&self, _: u64) -> Option<u64> {
        None
    }

    fn show(&self, _: u64, _: &mut SeqFile) {}
}

impl kernel::Module for Leak {
    fn init(module: &'static ThisModule) -> Result<Self> {
        kalloc::register(module, SITES)?;
        core::mem::forget(KBox::<[u8; 100], Boxes>::new([0; 100], GFP_KERNEL)?);
        let cache = KmemCache::<Objects>::new(Options::new())?;
        core::mem::forget(cache.alloc(1, GFP_KERNEL)?);
        core::mem::forget(Pages::<Blocks>::zeroed(Order::of::<1>(), GFP_KERNEL)?);
        core::mem::forget(Array::<u8, Vmalloc<Areas>>::zeroed(5000, GFP_KERNEL)?);
        let published = NUMBER.publish(Arc::new(7, GFP_KERNEL)?)?;
        let reading = rcu::read_lock();
        drop(published);
        drop(reading);
        let file = ProcFile::new(module, c"leak_file", Mode::OwnerRead, Nothing);
        core::mem::forget(kernel::alloc::KBox::pin_init(file, GFP_KERNEL)?);
        core::mem::forget(debugfs::dir());
        core::mem::forget(debugfs::dir().map(|dir| dir.subdir(c"leak")));
        Ok(Leak)
    }
}
