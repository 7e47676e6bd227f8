// SPDX-License-Identifier: GPL-2.0

//! The kernel's memory allocators as safe Rust, with exact and nearly free statistics.
//!
//! | family | owner types | module |
//! |---|---|---|
//! | kmalloc, kvmalloc | [`KBox`], [`KVec`], [`KVBox`], [`KVVec`], [`Array`] | [`kmalloc`] |
//! | slab caches | [`KmemCache`] and its [`Object`](slab::Object)s, [`Batch`](slab::Batch)es; [`ConstructedCache`](slab::ConstructedCache), [`RcuCache`](slab::RcuCache) | [`cache`] |
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

pub mod accounting;
pub mod alloc;
pub mod fs;
pub mod mm;
mod module;
pub mod page;
pub mod prelude;
pub mod slab;
pub mod sys;

pub use crate::{
    accounting::{
        registry::register,
        site::{
            Site,
            Tag, //
        }, //
    },
    alloc::{
        allocator::Counted,
        array::Array,
        kmalloc::{
            KBox,
            KVec,
            Kmalloc, //
        },
        kvmalloc::{
            KVBox,
            KVVec,
            KVmalloc, //
        },
        vmalloc::{
            VBox,
            VVec,
            Vmalloc, //
        }, //
    },
    mm::vmap::Mapping,
    page::{
        order::{
            Order,
            PageCount, //
        },
        zone::Zone, //
        CompoundPages,
        ExactPages,
        FreePages,
        PageArray,
        Pages,
        SharedPages,
    },
    slab::KmemCache,
    sys::gfp::Gfp, //
};

module! {
    type: module::KallocModule,
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
