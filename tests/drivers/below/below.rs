// SPDX-License-Identifier: GPL-2.0-only

//! A driver in a subdirectory, with a file from outside of the directory that is built.

use kernel::prelude::*;

#[path = "../../shared/number.rs"]
mod number;

module! {
    type: Driver,
    name: "below",
    authors: ["The kalloc authors"],
    description: "A driver in a subdirectory, for the tests of kalloc",
    license: "GPL",
}

kalloc::sites! {
    Numbers: kmalloc(u64), "below_number";
}

struct Driver {
    _number: kalloc::KBox<u64, Numbers>,
}

impl kernel::Module for Driver {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Driver {
            _number: kalloc::KBox::new(number::NUMBER, GFP_KERNEL)?,
        })
    }
}
