// SPDX-License-Identifier: GPL-2.0
//! What the other cases share; it must compile, or their failing would say nothing.

use kalloc::{
    cache::{
        ArcObject,
        Options, //
    },
    mmap::{
        self,
        Frame, //
    },
    KBox,
    KmemCache,
    Order,
    Pages, //
};
use kernel::{
    mm::virt::VmaNew,
    prelude::*,
    sync::Arc, //
};

kalloc::sites! {
    pub Words: cache(u64), "compile_word";
    pub Blocks: pages, "compile_block";
    pub Boxes: kmalloc([u8; 4096]), "compile_box";
    pub Frames: cache(Frame), "compile_frame";
}

#[inline(never)]
pub fn case() -> Result<u64> {
    let cache = KmemCache::<Words>::new(Options::new())?;
    let object = cache.alloc(1, GFP_KERNEL)?;
    let block = Pages::<Blocks>::zeroed(Order::of::<10>(), GFP_KERNEL)?;
    let mut batch = cache.batch::<256>();
    batch.fill(GFP_KERNEL)?;
    Ok(*object + u64::from(block[0]))
}

#[inline(never)]
pub fn map(
    block: &Arc<Pages<Blocks>>,
    boxed: &Arc<KBox<[u8; 4096], Boxes>>,
    object: &Arc<ArcObject<Frames>>,
    vma: &VmaNew,
) -> Result {
    mmap::map(block, 0, vma)?;
    mmap::map(boxed, 0, vma)?;
    mmap::map(object, 0, vma)
}
