// SPDX-License-Identifier: GPL-2.0

//! KUnit suites of kalloc, one for each part. They run when the module is loaded.

use kernel::prelude::*;

#[path = "../../rust/testing/block.rs"]
mod block;
mod cache;
mod cache_constructed;
mod cache_options;
mod cache_rcu;
#[path = "../../rust/testing/case.rs"]
mod case;
mod context;
mod edges;
mod fault;
mod files;
mod footprint;
mod freed;
mod gfp;
mod global;
mod hash;
mod kmalloc;
mod layout;
mod memory;
mod mmap;
#[path = "../../rust/testing/observe.rs"]
mod observe;
mod page_array;
mod page_owners;
mod pages;
mod percpu;
mod refusal;
mod site;
mod stats;
#[path = "../../samples/hash/table.rs"]
mod table;
mod thread;
mod user;
mod vmalloc;
mod watch;
mod zones;

pub(crate) use watch::{
    Change,
    Dropped, //
};

module! {
    type: KallocKunit,
    name: "kalloc_kunit",
    authors: ["The kalloc authors"],
    description: "KUnit suites of kalloc",
    license: "GPL",
}

/// The suites are found by KUnit once `init` is done.
struct KallocKunit {
    /// For a scenario.
    _files: Pin<KBox<user::Files>>,
    _records: Pin<KBox<files::Files>>,
}

impl kernel::Module for KallocKunit {
    fn init(module: &'static ThisModule) -> Result<Self> {
        site::remember(module);
        for sites in [
            cache::SITES,
            cache_constructed::SITES,
            cache_options::SITES,
            cache_rcu::SITES,
            context::SITES,
            edges::SITES,
            footprint::SITES,
            hash::SITES,
            freed::SITES,
            kmalloc::SITES,
            memory::SITES,
            mmap::SITES,
            page_array::SITES,
            page_owners::SITES,
            pages::SITES,
            site::SITES,
            stats::SITES,
            thread::SITES,
            user::SITES,
            vmalloc::SITES,
            zones::SITES,
        ] {
            kalloc::register(module, sites)?;
        }
        for sites in fault::SITES {
            kalloc::register(module, sites)?;
        }
        Ok(KallocKunit {
            _files: user::Files::new()?,
            _records: files::Files::new(module)?,
        })
    }
}
