// SPDX-License-Identifier: GPL-2.0-only

//! The blocks of every family that workers hold.

use crate::block::footprint;
use core::mem::MaybeUninit;
use kalloc::{
    alloc::kmalloc,
    mm::page_info,
    slab::{
        ArcObject,
        Construct,
        Constructed,
        ConstructedCache,
        Options,
        RcuCache,
        RcuRef,
        Reset,
        TypesafeByRcu, //
    }, //
    Array,
    FreePages,
    KBox,
    KVmalloc,
    Kmalloc,
    KmemCache,
    Mapping,
    Order,
    PageArray,
    Pages,
    Vmalloc,
};
use kernel::{
    alloc::{
        AllocError,
        Flags,
        NumaNode, //
    },
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

kalloc::sites! {
    pub(crate) Words: kmalloc([u64; 3]), "stress_word", percpu;
    pub(crate) Bytes: kmalloc([u8]), "stress_byte";
    pub(crate) Either: kvmalloc([u8]), "stress_either";
    pub(crate) Objects: cache([u64; 5]), "stress_object";
    pub(crate) Blocks: pages, "stress_page";
    pub(crate) FreeBlocks: pages, "stress_free_page";
    pub(crate) Mapped: vmalloc([u8]), "stress_mapped";
    pub(crate) Tables: cache(Table), "stress_constructed";
    pub(crate) Numbers: cache(Number), "stress_rcu";
    pub(crate) Singles: pages, "stress_vmap";
}

/// An object that readers may find while it becomes another one.
pub(crate) type Number = TypesafeByRcu<Atomic<u64>, [u64; 3]>;

/// An object that stays in its constructed state while it is free.
pub(crate) struct Table([u64; 6]);

impl Table {
    const NEW: [u64; 6] = [0x5a5a; 6];
}

impl Construct for Table {
    fn construct() -> impl PinInit<Self> {
        Table(Self::NEW)
    }
}

impl Reset for Table {
    fn reset(mut self: Pin<&mut Self>) {
        self.0 = Self::NEW;
    }
}

/// The number of a site to allocate at.
#[derive(Clone, Copy)]
pub(crate) struct Kind(pub(crate) usize);

impl Kind {
    /// Returns any site, the costly ones less often.
    pub(crate) fn any(random: u32) -> Kind {
        match random % 64 {
            0 => Kind(6),
            1..4 => Kind(2),
            4 => Kind(9),
            n => Kind::atomic(n),
        }
    }

    /// Returns a site that can be used in atomic context.
    pub(crate) fn atomic(random: u32) -> Kind {
        Kind([0, 1, 3, 4, 5, 7, 8][random as usize % 7])
    }
}

/// A block.
pub(crate) enum Held {
    Word(KBox<[u64; 3], Words>),
    /// Another size at a site with an object size.
    Odd(KBox<[u8; 5], Words>),
    Bytes(Array<u8, Kmalloc<Bytes>>),
    Either(Array<u8, KVmalloc<Either>>),
    Object(ArcObject<Objects>),
    Block(Pages<Blocks, MaybeUninit<u8>>),
    FreeBlock(FreePages<FreeBlocks, MaybeUninit<u8>>),
    Mapped(Array<u8, Vmalloc<Mapped>>),
    Table(Constructed<Tables>),
    Number(RcuRef<Numbers>),
    /// An array of one page: the failures of a larger one could not be predicted.
    Single(PageArray<Singles>),
}

/// Returns a size: mostly up to `usual`, sometimes up to 64 KiB, which is above kmalloc's classes,
/// and rarely above kmalloc's limit. Of the latter two sizes, one is a multiple of the pages by
/// which kvmalloc maps large blocks.
fn size(random: u32, usual: u32) -> usize {
    match random % 128 {
        0 => kmalloc::MAX_SIZE + 1,
        1 => kmalloc::MAX_SIZE + (2 << 20),
        2..=5 => 1 + (random >> 7) as usize % (64 << 10),
        _ => 1 + ((random >> 7) % usual) as usize,
    }
}

/// The usual sizes of boxes, and of areas.
const SMALL: u32 = 1800;
const AREA: u32 = 9000;

/// The counters that a block changes.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) site: usize,
    pub(crate) bytes: usize,
    /// The counted bytes.
    pub(crate) allocated: usize,
    /// The bytes that the allocator uses for it.
    pub(crate) footprint: usize,
}

impl Held {
    pub(crate) fn cost(&self) -> Cost {
        let whole_pages = |len: usize| len.next_multiple_of(PAGE_SIZE);
        let contiguous = |len: usize| (len, kmalloc::usable_size(len));
        let pages = |len: usize| (len, len);
        // For an object, the cache determines the bytes that it takes.
        let object = |size: usize, footprint: usize| ((size, footprint), footprint);
        let (site, ((bytes, allocated), footprint)) = match self {
            Held::Word(b) => (0, (contiguous(24), footprint(&**b))),
            Held::Odd(b) => (0, (contiguous(5), footprint(&**b))),
            Held::Bytes(b) => (1, (contiguous(b.len()), footprint(&b[..]))),
            Held::Either(b) if page_info::is_vmalloc(b) => {
                (2, ((b.len(), whole_pages(b.len())), footprint(&b[..])))
            }
            Held::Either(b) => (2, (contiguous(b.len()), footprint(&b[..]))),
            Held::Object(b) => (3, object(40, footprint(&**b))),
            Held::Block(b) => (4, (pages(b.len()), footprint(&b[..]))),
            Held::FreeBlock(b) => (5, (pages(b.len()), footprint(&b[..]))),
            Held::Mapped(b) => (6, ((b.len(), whole_pages(b.len())), footprint(&b[..]))),
            Held::Table(b) => (7, object(size_of::<Table>(), footprint(&**b))),
            Held::Number(b) => (8, object(size_of::<Number>(), footprint(&**b))),
            Held::Single(b) => (9, (pages(b.len() * PAGE_SIZE), b.len() * PAGE_SIZE)),
        };
        Cost {
            site,
            bytes,
            allocated,
            footprint,
        }
    }

    /// Resizes the block, if possible. Returns the result, or `None` if the block has no resize.
    pub(crate) fn resize(&mut self, random: u32) -> Option<Result<(), AllocError>> {
        // With flags that forbid I/O, vmalloc keeps the pages that a block no longer needs.
        let flags = [GFP_KERNEL, GFP_NOWAIT][(random >> 30) as usize % 2] | __GFP_NOWARN;
        match self {
            Held::Bytes(b) => Some(b.resize(size(random, SMALL), flags)),
            Held::Either(b) => Some(b.resize(size(random, AREA), flags)),
            Held::Mapped(b) => Some(b.resize(size(random, AREA), flags)),
            _ => None,
        }
    }
}

/// The caches and other sources of blocks.
pub(crate) struct Source {
    objects: Arc<KmemCache<Objects>>,
    tables: ConstructedCache<Tables>,
    numbers: RcuCache<Numbers>,
}

impl Source {
    pub(crate) fn new() -> Result<Self> {
        Ok(Source {
            objects: Arc::new(KmemCache::new(Options::new())?, GFP_KERNEL)?,
            tables: ConstructedCache::new(Options::new().account())?,
            numbers: RcuCache::new(Options::new().sheaf_capacity(200))?,
        })
    }

    /// Allocates a block of a kind; sometimes with an impossible size. Returns an error, which is
    /// not counted at the site, for an object that is not in its constructed state.
    pub(crate) fn alloc(&self, kind: Kind, random: u32, flags: Flags) -> Result<Held, AllocError> {
        let flags = flags | __GFP_NOWARN;
        // A node: any, or one that may not exist.
        let node = match random >> 28 {
            id @ 0..3 => NumaNode::new(id as i32).unwrap_or(NumaNode::NO_NODE),
            _ => NumaNode::NO_NODE,
        };
        // Rarely an order that fails first when memory is short.
        let order = match random >> 7 & 63 {
            0 => 9,
            n => n % 5,
        };
        let order = Order::new(order).map_err(|_| AllocError)?;
        Ok(match kind.0 {
            0 if random % 2 == 0 => Held::Odd(KBox::new([1; 5], flags)?),
            0 => Held::Word(KBox::new([1; 3], flags)?),
            1 => Held::Bytes(Array::zeroed_on(size(random, SMALL), flags, node)?),
            2 => Held::Either(Array::zeroed_on(size(random, AREA), flags, node)?),
            3 => Held::Object(self.objects.reserve_arc(flags)?.write([1; 5])),
            4 => Held::Block(Pages::uninit(order, flags)?),
            5 => Held::FreeBlock(FreePages::uninit(order, flags)?),
            7 => {
                let mut table = self.tables.alloc(flags)?;
                let made = core::mem::replace(&mut table.0, [u64::from(random); 6]);
                (made == Table::NEW).then_some(()).ok_or(AllocError)?;
                Held::Table(table)
            }
            8 => {
                let slot = self.numbers.reserve(flags)?;
                slot.key().store(random.into(), Relaxed);
                Held::Number(slot.write([1; 3]))
            }
            9 => {
                let mut page = PageArray::zeroed(1, flags)?;
                // The site does not count a failed mapping.
                let _ = Mapping::new(&mut page).map(|mut bytes| bytes.fill(1));
                Held::Single(page)
            }
            _ => Held::Mapped(Array::zeroed_on(size(random, AREA), flags, node)?),
        })
    }
}
