// SPDX-License-Identifier: GPL-2.0

//! Has a folder in debugfs of the name that kalloc's has, and is there first.
//!
//! What kalloc then creates is in this one, and goes with it.

#![deny(unsafe_code)]

use kernel::{
    debugfs::Dir,
    prelude::*, //
};

module! {
    type: Folder,
    name: "kalloc_folder",
    authors: ["The kalloc authors"],
    description: "Has a folder of the name of kalloc's, for the tests of kalloc",
    license: "GPL",
}

struct Folder {
    _dir: Dir,
}

impl kernel::Module for Folder {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Folder {
            _dir: Dir::new(c"kalloc"),
        })
    }
}
