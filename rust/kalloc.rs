// SPDX-License-Identifier: GPL-2.0

//! The kernel's memory allocators as safe Rust, with exact and nearly free statistics.
//!
//! | family | owner types | module |
//! |---|---|---|
//! | kmalloc, kvmalloc | [`KBox`], [`KVec`], [`KVBox`], [`KVVec`], [`Array`] | [`kmalloc`] |
//! | slab caches | [`KmemCache`] and its [`Object`](cache::Object)s, [`Batch`](cache::Batch)es; [`ConstructedCache`](cache::ConstructedCache), [`RcuCache`](cache::RcuCache) | [`cache`] |
//! | page blocks | [`Pages`], [`FreePages`], [`ExactPages`], [`CompoundPages`], [`SharedPages`], [`PageArray`] | [`pages`] |
//! | vmalloc, vmap | [`VBox`], [`VVec`], [`Array`], [`Mapping`] | [`vmalloc`] |
//!
//! Every owner type frees its memory on drop and names, as a type parameter, the *site* that the
//! memory is counted at. A driver declares its sites with [`sites!`] and [`register`]s them; each
//! is then a row of `/proc/kallocinfo`, in the format of `/proc/slabinfo`.
//!
//! How the parts depend on each other:
//!
//! ```text
//!   sites! ──> Tag ──> Site ◄── counts ── wrappers (kmalloc, cache, pages, vmalloc)
//!                        ▲                     ▲
//!   registry (list) ─────┘                 drivers
//!       ▲
//!   slabinfo (text) ◄── procfs (file) ◄── reader
//! ```
//!
//! A wrapper knows nothing of the file, the file nothing of the wrappers. Memory of any family can
//! be shown to user space: see [`mmap`].
//!
//! What this crate needs besides, and the kernel crate lacks, is there for others, too: values for
//! each CPU ([`percpu`]), sequences of records ([`seq`]) in [`/proc`](procfs) and [`debugfs`], errors that
//! C passes on to user space ([`failure`]), and a place for what a driver's callbacks share ([`global`]).
//!
//! The [pages beside this](../index.html) have a [tutorial](../tutorial.html), and say
//! [which allocator to use](../allocators.html).

use kernel::prelude::*;

#[doc(hidden)]
pub mod allocator;
pub mod array;
mod bindings;
mod bucket;
pub mod cache;
pub mod context;
pub mod debugfs;
mod deferred;
pub mod failure;
pub mod family;
mod files;
pub mod gfp;
pub mod global;
#[doc(hidden)]
pub mod here;
pub mod kmalloc;
pub mod layout;
pub mod memory;
pub mod mmap;
pub mod order;
pub mod pages;
pub mod percpu;
mod place;
pub mod procfs;
mod reaper;
mod registry;
mod sampler;
pub mod seq;
pub mod site;
mod sites;
mod slab;
mod slabinfo;
pub mod stats;
#[doc(hidden)]
pub mod unit;
pub mod vmalloc;
pub mod zone;

pub use crate::{
    allocator::Counted,
    array::Array,
    cache::KmemCache,
    gfp::Gfp,
    kmalloc::{
        KBox,
        KVBox,
        KVVec,
        KVec,
        KVmalloc,
        Kmalloc, //
    },
    order::{
        Order,
        PageCount, //
    },
    pages::{
        CompoundPages,
        ExactPages,
        FreePages,
        PageArray,
        Pages,
        SharedPages, //
    },
    registry::register,
    site::{
        Site,
        Tag, //
    },
    vmalloc::{
        Mapping,
        VBox,
        VVec,
        Vmalloc, //
    },
    zone::Zone, //
};

module! {
    type: KallocModule,
    name: "kalloc",
    authors: ["The kalloc authors"],
    description: "The kernel's memory allocators as safe Rust, with exact statistics",
    license: "GPL",
    params: {
        sample_ms: u32 {
            default: 1000,
            description: "How often to look for high-water marks, in ms; 0: only when a file is read",
        },
    },
}

/// What the module is while it is loaded. The order is that in which it goes.
#[pin_data]
struct KallocModule {
    /// `/proc/kallocinfo`.
    #[pin]
    kallocinfo: procfs::ProcFile<slabinfo::SlabInfo>,
    /// `/sys/kernel/debug/kalloc/sites`.
    #[pin]
    sites: debugfs::SeqFile<sites::Text>,
    /// `/sys/kernel/debug/kalloc/sites.json`.
    #[pin]
    sites_json: debugfs::SeqFile<sites::Json>,
    /// `/sys/kernel/debug/kalloc/`.
    _debugfs: debugfs::Root,
    /// The list of sites.
    #[pin]
    registry: registry::Registry,
}

impl kernel::InPlaceModule for KallocModule {
    #[expect(clippy::clone_on_copy)] // Linux 7.2 has a reference to the parameter.
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // SAFETY: A module is initialised once, and this is the first thing done.
            registry <- unsafe { registry::Registry::new() },
            // SAFETY: Likewise; nobody else can ask for it before this module is loaded.
            _debugfs: unsafe { debugfs::Root::new() },
            sites <- debugfs::SeqFile::new(module, c"sites", sites::Text),
            sites_json <- debugfs::SeqFile::new(module, c"sites.json", sites::Json),
            kallocinfo <- procfs::ProcFile::new(
                module,
                c"kallocinfo",
                procfs::Readers::Root,
                slabinfo::SlabInfo,
            ),
            _: { sampler::start(module_parameters::sample_ms.value().clone()) },
        })
    }
}
