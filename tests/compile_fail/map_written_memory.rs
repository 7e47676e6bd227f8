// SPDX-License-Identifier: GPL-2.0-only
//! H64: mapped memory cannot be written.
//! error: cannot borrow data in dereference of `kernel::sync::Arc<kalloc::Array<u8

use kalloc::{
    mm::mmap, //
    Array,
    Vmalloc,
};
use kernel::{
    mm::virt::VmaNew,
    prelude::*,
    sync::Arc, //
};

kalloc::sites! {
    pub Bytes: vmalloc([u8]), "compile_bytes";
}

#[inline(never)]
pub fn case(block: &mut Arc<Array<u8, Vmalloc<Bytes>>>, vma: &VmaNew) -> Result {
    mmap::map(block, 0, vma)?.finish()?;
    block[0] = 1;
    Ok(())
}
