// SPDX-License-Identifier: GPL-2.0

//! The blocks that workers hold, of every family.

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

/// What stays as it was made while it is free.
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

/// What to allocate: the number of a site.
#[derive(Clone, Copy)]
pub(crate) struct Kind(pub(crate) usize);

impl Kind {
    /// Any site; the costly ones more rarely.
    pub(crate) fn any(random: u32) -> Kind {
        match random % 64 {
            0 => Kind(6),
            1..4 => Kind(2),
            4 => Kind(9),
            n => Kind::atomic(n),
        }
    }

    /// A site that can be used in atomic context.
    pub(crate) fn atomic(random: u32) -> Kind {
        Kind([0, 1, 3, 4, 5, 7, 8][random as usize % 7])
    }
}

/// A block.
pub(crate) enum Held {
    Word(KBox<[u64; 3], Words>),
    /// Another size at a site that has a unit.
    Odd(KBox<[u8; 5], Words>),
    Bytes(Array<u8, Kmalloc<Bytes>>),
    Either(Array<u8, KVmalloc<Either>>),
    Object(ArcObject<Objects>),
    Block(Pages<Blocks, MaybeUninit<u8>>),
    FreeBlock(FreePages<FreeBlocks, MaybeUninit<u8>>),
    Mapped(Array<u8, Vmalloc<Mapped>>),
    Table(Constructed<Tables>),
    Number(RcuRef<Numbers>),
    /// Of one page, or nobody could tally one that is refused in the middle.
    Single(PageArray<Singles>),
}

/// A size: mostly up to `usual`, at times up to 64 KiB, which is more than kmalloc has classes for,
/// and rarely more than kmalloc has at all. Of the latter, one is a multiple of the pages that
/// kvmalloc maps large blocks by, and one is not.
fn size(random: u32, usual: u32) -> usize {
    match random % 128 {
        0 => kmalloc::MAX_SIZE + 1,
        1 => kmalloc::MAX_SIZE + (2 << 20),
        2..=5 => 1 + (random >> 7) as usize % (64 << 10),
        _ => 1 + ((random >> 7) % usual) as usize,
    }
}

/// What is usual of boxes, and of areas.
const SMALL: u32 = 1800;
const AREA: u32 = 9000;

/// What a block counts as.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) site: usize,
    pub(crate) bytes: usize,
    /// The bytes that it is counted to take.
    pub(crate) allocated: usize,
    /// The bytes that its allocator has for it.
    pub(crate) footprint: usize,
}

impl Held {
    pub(crate) fn cost(&self) -> Cost {
        let whole_pages = |len: usize| len.next_multiple_of(PAGE_SIZE);
        let contiguous = |len: usize| (len, kmalloc::usable_size(len));
        let pages = |len: usize| (len, len);
        // Of an object, its cache knows what it takes.
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

    /// Resizes the block, if it can be. Returns whether that was tried, and came to pass.
    pub(crate) fn resize(&mut self, random: u32) -> Option<Result<(), AllocError>> {
        // With flags that allow no I/O, vmalloc keeps the pages that a block no longer needs.
        let flags = [GFP_KERNEL, GFP_NOWAIT][(random >> 30) as usize % 2] | __GFP_NOWARN;
        match self {
            Held::Bytes(b) => Some(b.resize(size(random, SMALL), flags)),
            Held::Either(b) => Some(b.resize(size(random, AREA), flags)),
            Held::Mapped(b) => Some(b.resize(size(random, AREA), flags)),
            _ => None,
        }
    }
}

/// Where blocks come from.
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

    /// Allocates a block of a kind; sometimes one that is larger than can be. An object that has not
    /// stayed as it was made is an error, which its site knows nothing of.
    pub(crate) fn alloc(&self, kind: Kind, random: u32, flags: Flags) -> Result<Held, AllocError> {
        let flags = flags | __GFP_NOWARN;
        // A node, of which there may not be the last, or any.
        let node = match random >> 28 {
            id @ 0..3 => NumaNode::new(id as i32).unwrap_or(NumaNode::NO_NODE),
            _ => NumaNode::NO_NODE,
        };
        // Rarely what is refused first when memory is short.
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
                // A mapping that cannot be had is nothing that the site counts.
                let _ = Mapping::new(&mut page).map(|mut bytes| bytes.fill(1));
                Held::Single(page)
            }
            _ => Held::Mapped(Array::zeroed_on(size(random, AREA), flags, node)?),
        })
    }
}
