// SPDX-License-Identifier: GPL-2.0-only

//! The KUnit suites of kalloc, one for each module. They run when this module is loaded.

use kernel::prelude::*;

mod address_space;
mod alloc_types;
mod allocator;
mod arc;
mod arena;
#[path = "../../rust/testing/block.rs"]
mod block;
#[path = "../../rust/testing/case.rs"]
mod case;
mod context;
mod debugfs_files;
#[cfg(not(MODULE))]
#[path = "built_in/early.rs"]
mod early;
mod fail_nth;
mod fault;
mod footprint;
mod foreign;
mod free;
mod fs;
mod gfp;
mod gfp_zone;
mod hash;
#[cfg(not(MODULE))]
#[path = "../../rust/testing/initcall.rs"]
mod initcall;
mod kmalloc;
#[path = "../../rust/accounting/linked/slots.rs"]
mod linked_slots;
mod mmap;
#[path = "../../rust/testing/observe.rs"]
mod observe;
mod page;
mod page_array;
mod page_info;
mod page_ownership;
mod percpu;
#[path = "../../rust/testing/raw.rs"]
mod raw;
mod rcu_static;
mod site;
mod site_delta;
mod slab;
mod slab_args;
mod slab_ctor;
mod slab_typesafe_by_rcu;
mod slots;
mod stats;
#[path = "../../samples/hash/table.rs"]
mod table;
mod thread;
mod vmalloc;
mod workqueue;

pub(crate) use site_delta::{
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

/// The module. KUnit runs the suites after `init` has returned.
struct KallocKunit {
    /// Files for the script in the guest.
    _files: Pin<KBox<debugfs_files::Files>>,
    _records: Pin<KBox<fs::Files>>,
}

impl kernel::Module for KallocKunit {
    fn init(module: &'static ThisModule) -> Result<Self> {
        site::remember(module);
        for sites in [
            alloc_types::SITES,
            allocator::SITES,
            arc::SITES,
            arena::SITES,
            context::SITES,
            debugfs_files::SITES,
            footprint::SITES,
            foreign::SITES,
            free::SITES,
            gfp_zone::SITES,
            hash::SITES,
            kmalloc::SITES,
            mmap::SITES,
            page::SITES,
            page_array::SITES,
            page_info::SITES,
            page_ownership::SITES,
            site::SITES,
            slab::SITES,
            slab_args::SITES,
            slab_ctor::SITES,
            slab_typesafe_by_rcu::SITES,
            stats::SITES,
            thread::SITES,
            vmalloc::SITES,
            workqueue::SITES,
        ] {
            kalloc::register(module, sites)?;
        }
        for sites in fault::SITES {
            kalloc::register(module, sites)?;
        }
        Ok(KallocKunit {
            _files: debugfs_files::Files::new()?,
            _records: fs::Files::new(module)?,
        })
    }
}
