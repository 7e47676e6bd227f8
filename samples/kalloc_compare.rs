// SPDX-License-Identifier: GPL-2.0-only

//! The textbook's table of the kernel's allocators, measured on the running kernel.
//!
//! Two files in `/sys/kernel/debug/kalloc/`, for root only:
//!
//! * `compare`: the properties of each allocator next to the textbook's claims, and whether these
//!   hold. Reading the file measures all properties.
//! * `layout`: the kernel's address space.
//!
//! Documentation/reference/compare.rst describes each property and its measurement. The module only uses
//! kalloc's public API, and nothing stays allocated after a read.

use compare::{
    show,
    sites, //
};
use kalloc::fs::debugfs::DebugfsFile;
use kernel::prelude::*;

mod compare {
    pub(crate) mod api;
    pub(crate) mod cache;
    pub(crate) mod claims;
    pub(crate) mod cost;
    pub(crate) mod own;
    pub(crate) mod probe;
    pub(crate) mod seen;
    pub(crate) mod show;
    pub(crate) mod sites;
    pub(crate) mod table;
    pub(crate) mod value;
}
mod turns;

module! {
    type: Compare,
    name: "kalloc_compare",
    authors: ["The kalloc authors"],
    description: "Measures how the kernel's memory allocators differ",
    license: "GPL",
}

/// The module with its two files.
#[pin_data]
struct Compare {
    #[pin]
    _compare: DebugfsFile<show::Comparison>,
    #[pin]
    _layout: DebugfsFile<show::Layout>,
}

impl kernel::InPlaceModule for Compare {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            kalloc::register(module, sites::SITES)?;
            let comparison = show::Comparison::new()?;
            Ok(try_pin_init!(Self {
                _compare <- DebugfsFile::new(module, c"compare", comparison),
                _layout <- DebugfsFile::new(module, c"layout", show::Layout),
            }? Error))
        })
    }
}
