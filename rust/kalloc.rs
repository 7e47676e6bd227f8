// SPDX-License-Identifier: GPL-2.0-only

//! The kernel's memory allocators as safe Rust, with exact and nearly free statistics.
//!
//! | family | owner types | module |
//! |---|---|---|
//! | kmalloc | [`KBox`], [`KVec`], [`Array`], [`Arc`], [`CString`], [`Flex`] | [`alloc::kmalloc`] |
//! | kvmalloc | [`KVBox`], [`KVVec`], [`Array`] | [`alloc::kvmalloc`] |
//! | vmalloc | [`VBox`], [`VVec`], [`Array`] | [`alloc::vmalloc`] |
//! | slab caches | [`KmemCache`] with [`Object`](slab::Object) and [`Batch`](slab::Batch), [`ConstructedCache`](slab::ConstructedCache), [`RcuCache`](slab::RcuCache) | [`slab`] |
//! | page blocks | [`Pages`], [`FreePages`], [`ExactPages`], [`CompoundPages`], [`SharedPages`], [`PageArray`], [`Mapping`], [`Arena`] | [`page`], [`mm::vmap`] |
//!
//! Each owner type frees its memory on drop. A type parameter names the allocation *site* that
//! counts the memory. A driver declares its sites with [`sites!`], and [`register`]s them. Each
//! site is then a row of `/proc/kallocinfo`, in the format of `/proc/slabinfo`.
//!
//! # Layers
//!
//! Each directory is a layer, and imports only from the layers below it:
//!
//! ```text
//!                module            init, exit, the module notifier
//!        ┌─────────┴─────────┐
//!        mm                  fs    mappings, page information │ /proc, debugfs, kalloc's own files
//!     ┌──┴──┐                │
//!   slab  alloc              │     slab caches │ kmalloc, kvmalloc, vmalloc
//!     └──┬──┘                │
//!       page                 │     page blocks, orders, zones
//!        └─────────┬─────────┘
//!              accounting          sites, counters, the registry
//!                  │
//!                 sys              bindings, contexts, flags, per-CPU values, work items
//! ```
//!
//! An allocation runs down the left side: the driver's call, the owner type, the site's counters,
//! C. A read runs down the right side: the file, the registry, the site's counters. Neither side
//! uses the other. [`trace`], on top of sys, probes code that does not use this crate.
//!
//! A driver imports [`prelude`]. The [documentation](../index.html) has a
//! [tutorial](../tutorial/first-driver.html) and a guide to [choosing an
//! allocator](../reference/allocators.html).

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
pub mod trace;

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
        arc::{
            Arc,
            ArcBorrow,
            ArcInner,
            UniqueArc, //
        },
        array::Array,
        cstring::CString,
        flex::Flex,
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
        Arena,
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
            description: "Interval between samples of the high watermarks, in ms; 0: only when a file is read",
        },
    },
}
