// SPDX-License-Identifier: GPL-2.0-only
//! H47: padding bytes cannot be mapped to user space.
//! error: the trait bound `Padded: AsBytes` is not satisfied

use kalloc::{
    mm::mmap, //
    KBox,
};
use kernel::{
    mm::virt::VmaNew,
    prelude::*,
    sync::Arc, //
};

#[repr(C, align(4096))]
pub struct Padded(u8);

kalloc::sites! {
    pub Bytes: kmalloc(Padded), "compile_padded";
}

#[inline(never)]
pub fn case(block: &Arc<KBox<Padded, Bytes>>, vma: &VmaNew) -> Result {
    mmap::map(block, 0, vma)?.finish()
}
