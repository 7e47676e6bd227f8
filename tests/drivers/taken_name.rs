// SPDX-License-Identifier: GPL-2.0-only

//! A driver one of whose sites has the name of another driver's site. It cannot be loaded.

use kernel::prelude::*;

module! {
    type: Driver,
    name: "taken_name",
    authors: ["The kalloc authors"],
    description: "A site whose name is in use, for the tests of kalloc",
    license: "GPL",
}

kalloc::sites! {
    Free: kmalloc(u64), "taken_not";
    Taken: kmalloc(u64), "every_name";
}

struct Driver;

impl kernel::Module for Driver {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        drop(kalloc::KBox::<u64, Taken>::new(1, GFP_KERNEL)?);
        Ok(Driver)
    }
}
