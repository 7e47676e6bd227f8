// SPDX-License-Identifier: GPL-2.0-only
//! The code that the other cases modify. It must compile; otherwise their failures would prove
//! nothing. No part of it is unsafe, including the code that macros expand to.

#![forbid(unsafe_code)]

use kalloc::{
    fs::{
        procfs::{
            Mode, //
            ProcFile,
        },
        seq_file::{
            SeqFile,
            SeqOps, //
        }, //
    },
    mm::mmap::{
        self,
        PageBytes, //
    },
    slab::{
        ArcObject,
        Construct,
        ConstructedCache,
        Options,
        RcuCache,
        RcuLink,
        Reset,
        TypesafeByRcu, //
    },
    sys::{
        percpu::PerCpu,
        rcu_static::RcuStatic, //
    }, //
    Array,
    KBox,
    KmemCache,
    Order,
    Pages,
    Vmalloc,
};
use kernel::{
    mm::virt::VmaNew,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        rcu,
        Arc, //
    }, //
};

kalloc::sites! {
    pub Words: cache(u64), "compile_word", percpu;
    pub Blocks: pages, "compile_block";
    pub Boxes: kmalloc([u8; 4096]), "compile_box";
    pub Frames: cache(PageBytes), "compile_frame";
    pub Buffers: vmalloc([PageBytes]), "compile_buffer";
    pub Kept: cache(Record), "compile_record";
    pub Conns: cache(TypesafeByRcu<Atomic<u64>, u32>), "compile_conn";
}

pub struct Record {
    name: [u8; 16],
}

impl Construct for Record {
    fn construct() -> impl PinInit<Self> {
        Record { name: [0; 16] }
    }
}

impl Reset for Record {
    fn reset(mut self: Pin<&mut Self>) {
        self.name = [0; 16];
    }
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
    drop(mmap::map(block, 0, vma)?);
    drop(mmap::map(boxed, 0, vma)?.executable());
    mmap::map(object, 0, vma)?.finish()
}

#[inline(never)]
pub fn kinds() -> Result {
    KmemCache::<Kept>::with_usercopy(Options::new(), kalloc::field!(Record, name))?;
    ConstructedCache::<Kept>::new(Options::new())?.alloc(GFP_KERNEL)?;
    RcuCache::<Conns>::new(Options::new()).map(drop)
}

#[inline(never)]
pub fn find(link: &RcuLink<Conns>) -> Option<u64> {
    let guard = rcu::read_lock();
    let found = link.load(&guard)?;
    let key = found.key();
    let conn = found.get(|conn| **conn == 7)?;
    let number = key.load(Relaxed);
    drop(guard);
    Some(number + u64::from(*conn))
}

#[inline(never)]
pub fn map_and_resize(
    mut block: Arc<Array<PageBytes, Vmalloc<Buffers>>>,
    vma: &VmaNew,
) -> Result<Arc<Array<PageBytes, Vmalloc<Buffers>>>> {
    mmap::map(&block, 0, vma)?.finish()?;
    let mut alone = Arc::into_unique_or_drop(block).ok_or(EBUSY)?;
    alone.resize(2, GFP_KERNEL)?;
    block = alone.into();
    Ok(block)
}

pub static SHARED: RcuStatic<u64> = RcuStatic::new();

#[inline(never)]
pub fn percpu() -> Result<u64> {
    let values = PerCpu::new(GFP_KERNEL, |_| Atomic::new(0))?;
    values.this(|value| value.store(1, Relaxed));
    Ok(values.this(|value| value.load(Relaxed)) + SHARED.get().map_or(0, |shared| *shared))
}

pub struct Nothing;

impl SeqOps for Nothing {
    fn start(&self, _: u64) -> Option<u64> {
        None
    }

    fn show(&self, _: u64, _: &mut SeqFile) {}
}

#[inline(never)]
pub fn file(module: &'static ThisModule) -> Result {
    let file = ProcFile::new(module, c"word", Mode::OwnerRead, Nothing);
    drop(kernel::alloc::KBox::pin_init(file, GFP_KERNEL)?);
    Ok(())
}
