// SPDX-License-Identifier: GPL-2.0

//! The allocator families by the names that [`sites!`](crate::sites) knows them.

pub use crate::{
    cache::Slab as cache,
    kmalloc::{
        Contiguous as kmalloc,
        Either as kvmalloc, //
    },
    pages::Buddy as pages,
    vmalloc::Mapped as vmalloc, //
};
