// SPDX-License-Identifier: GPL-2.0-only
//! H47: an object that shares its pages with other objects cannot be mapped to user space.
//! error: an object that is aligned to a page can be mapped

use kalloc::{
    mm::mmap,
    slab::ArcObject, //
};
use kernel::{
    mm::virt::VmaNew,
    prelude::*,
    sync::Arc, //
};

kalloc::sites! {
    pub Objects: cache([u8; 4096]), "compile_object";
}

#[inline(never)]
pub fn case(object: &Arc<ArcObject<Objects>>, vma: &VmaNew) -> Result {
    mmap::map(object, 0, vma)?.finish()
}
