// SPDX-License-Identifier: GPL-2.0-only
//! H44: an object that borrows its cache, and so cannot outlive it, cannot be mapped.
//! error: the trait bound `kalloc::slab::Owned<Objects, &KmemCache<Objects>>: Mappable` is not satisfied

use kalloc::{
    mm::mmap::{
        self,
        PageBytes, //
    },
    slab::Object, //
};
use kernel::{
    mm::virt::VmaNew,
    prelude::*,
    sync::Arc, //
};

kalloc::sites! {
    pub Objects: cache(PageBytes), "compile_object";
}

#[inline(never)]
pub fn case<'c>(object: &Arc<Object<'c, Objects>>, vma: &VmaNew) -> Result {
    mmap::map(object, 0, vma)?.finish()
}
