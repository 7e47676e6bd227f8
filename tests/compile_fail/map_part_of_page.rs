// SPDX-License-Identifier: GPL-2.0-only
//! H47: a part of a page cannot be mapped: the rest contains other memory.
//! error: a type of whole pages can be mapped

use kalloc::{
    mm::mmap, //
    KBox,
};
use kernel::{
    mm::virt::VmaNew,
    prelude::*,
    sync::Arc, //
};

kalloc::sites! {
    pub Bytes: kmalloc([u8; 100]), "compile_bytes";
}

#[inline(never)]
pub fn case(block: &Arc<KBox<[u8; 100], Bytes>>, vma: &VmaNew) -> Result {
    mmap::map(block, 0, vma)?.finish()
}
