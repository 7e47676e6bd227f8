// SPDX-License-Identifier: GPL-2.0

//! The bytes that sites count as taken, against what the allocators have for each live block.

use crate::block::footprint;
use core::mem::MaybeUninit;
use kalloc::{
    accounting::family,
    alloc::kmalloc::MAX_SIZE,
    slab::{
        Object,
        Options, //
    }, //
    CompoundPages,
    ExactPages,
    FreePages,
    KBox,
    KmemCache,
    Order,
    PageCount,
    Pages,
    SharedPages,
    Tag,
};
use kernel::{
    alloc::{
        Allocator,
        Flags, //
    },
    page::PAGE_SIZE,
    prelude::*, //
};

kalloc::sites! {
    pub(crate) Bytes: kmalloc([u8]), "kunit_takes_kmalloc";
    pub(crate) Either: kvmalloc([u8]), "kunit_takes_kvmalloc";
    pub(crate) Mapped: vmalloc([u8]), "kunit_takes_vmalloc";
    pub(crate) Words: kmalloc([u64; 3]), "kunit_takes_word";
    pub(crate) Blocks: pages, "kunit_takes_pages";
    pub(crate) Objects: cache([u64; 5]), "kunit_takes_object";
}

/// Random numbers (xorshift).
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// A number from 0 to `n - 1`.
    fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }

    /// A size: of every order of magnitude up to 64 KiB, whole pages and not.
    fn size(&mut self) -> usize {
        let most = 1 << (3 + self.below(14));
        match self.below(4) {
            0 => (1 + self.below(16)) * PAGE_SIZE,
            _ => 1 + self.below(most),
        }
    }

    /// Flags for a size: those that do not sleep have vmalloc keep pages that a block has no use
    /// for.
    fn flags(&mut self) -> Flags {
        [GFP_KERNEL, GFP_ATOMIC, GFP_NOWAIT, GFP_KERNEL_ACCOUNT][self.below(4)] | __GFP_NOWARN
    }
}

/// Returns whether the blocks of a site take the bytes that it counts.
fn is_counted<S: Tag>(footprints: impl Iterator<Item = usize>) -> bool {
    footprints.map(|bytes| bytes as u64).sum::<u64>() == S::site().totals().live_allocated
}

/// Sizes at which vmalloc begins to map by larger pages, and what is not a multiple of those.
const LARGE: [usize; 4] = [(2 << 20) + 1, MAX_SIZE + 1, (6 << 20) - PAGE_SIZE, 6 << 20];

/// Returns whether arrays take the bytes that are counted, after each that comes, goes, grows or
/// shrinks.
fn arrays_are_counted<A: Allocator, S: Tag>(seed: u32) -> Result<bool> {
    let mut random = Random(seed);
    let mut arrays: [Option<kalloc::Array<u8, A>>; 6] = [const { None }; 6];
    for _ in 0..200 {
        let (size, flags) = (random.size(), random.flags());
        match &mut arrays[random.below(6)] {
            // A failure changes nothing.
            Some(array) if random.below(8) != 0 => array.resize(size, flags).unwrap_or(()),
            slot => *slot = kalloc::Array::zeroed(size, flags).ok(),
        }
        if !is_counted::<S>(arrays.iter().flatten().map(|array| footprint(&array[..]))) {
            return Ok(false);
        }
    }
    drop(arrays);
    // From each large size to each other, and to a small one.
    for from in LARGE {
        for &to in [&LARGE[..], &[PAGE_SIZE, 10]].into_iter().flatten() {
            let flags = random.flags();
            let Ok(mut array) = kalloc::Array::<u8, A>::zeroed(from, GFP_KERNEL | __GFP_NOWARN)
            else {
                continue;
            };
            let last = from.min(to) - 1;
            array[last] = 7;
            let resized = array.resize(to, flags).is_ok();
            if !is_counted::<S>([footprint(&array[..])].into_iter())
                || resized != (array.len() == to)
                || array[last] != 7
            {
                return Ok(false);
            }
        }
    }
    Ok(is_counted::<S>(core::iter::empty()))
}

/// A block of pages, however it is held.
enum Block {
    Order(Pages<Blocks, MaybeUninit<u8>>),
    Address(FreePages<Blocks>),
    Exact(ExactPages<Blocks>),
    Compound(CompoundPages<Blocks>),
    /// With a second owner, at times.
    Shared(SharedPages<Blocks>, Option<SharedPages<Blocks>>),
}

impl Block {
    fn new(random: &mut Random) -> Result<Self> {
        let order = Order::new(random.next() % 5)?;
        let count = PageCount::new(1 + random.below(9))?;
        let flags = random.flags();
        Ok(match random.below(4) {
            0 => Block::Order(Pages::uninit(order, flags)?),
            1 => Block::Address(FreePages::zeroed(order, flags)?),
            2 => Block::Exact(ExactPages::zeroed(count, flags)?),
            _ => Block::Compound(CompoundPages::zeroed(order, flags)?),
        })
    }

    fn footprint(&self) -> usize {
        match self {
            Block::Order(block) => footprint(&block[..]),
            Block::Address(block) => footprint(&block[..]),
            Block::Exact(block) => footprint(&block[..]),
            Block::Compound(block) => footprint(&block[..]),
            Block::Shared(block, _) => footprint(&block[..]),
        }
    }

    /// Shares, unshares or splits the block; returns what is left of it.
    fn turn(self, random: &mut Random) -> Result<KVec<Block>> {
        let mut blocks = KVec::new();
        match self {
            Block::Order(block) => {
                for page in block.split_pages() {
                    // Some are dropped.
                    if random.below(3) != 0 {
                        blocks.push(Block::Order(page), GFP_KERNEL)?;
                    }
                }
            }
            Block::Exact(block) => {
                for page in block.split_pages() {
                    blocks.push(Block::Address(page), GFP_KERNEL)?;
                }
            }
            Block::Compound(block) => {
                let shared = block.share();
                let other = (random.below(2) != 0).then(|| shared.clone());
                blocks.push(Block::Shared(shared, other), GFP_KERNEL)?;
            }
            Block::Shared(block, None) => {
                let block = block.try_into_unique().map_err(|_| EBUSY)?;
                blocks.push(Block::Compound(block), GFP_KERNEL)?;
            }
            Block::Shared(block, Some(other)) => {
                drop(block);
                blocks.push(Block::Shared(other, None), GFP_KERNEL)?;
            }
            block => blocks.push(block, GFP_KERNEL)?,
        }
        Ok(blocks)
    }
}

#[kunit_tests(kalloc_footprint)]
mod tests {
    use super::*;
    use crate::Change;
    use kalloc::{
        accounting::{
            site::{
                Family,
                Shape, //
            },
            stats::Totals, //
        },
        mm::page_info, //
        Array,
        KVmalloc,
        Kmalloc,
        Vmalloc,
    };

    #[test]
    fn kmalloc_arrays_take_what_is_counted() -> Result {
        assert!(arrays_are_counted::<Kmalloc<Bytes>, Bytes>(1)?);
        Ok(())
    }

    #[test]
    fn kvmalloc_arrays_take_what_is_counted() -> Result {
        assert!(arrays_are_counted::<KVmalloc<Either>, Either>(2)?);
        Ok(())
    }

    #[test]
    fn vmalloc_arrays_take_what_is_counted() -> Result {
        assert!(arrays_are_counted::<Vmalloc<Mapped>, Mapped>(3)?);
        Ok(())
    }

    #[test]
    fn units_and_other_sizes_take_what_is_counted() -> Result {
        let word = KBox::<_, Words>::new([1_u64; 3], GFP_KERNEL)?;
        assert!(is_counted::<Words>([footprint(&*word)].into_iter()));
        let odd = KBox::<_, Words>::new([1_u8; 5], GFP_KERNEL)?;
        let large = KBox::<[u8; 10_000], Words>::zeroed(GFP_KERNEL)?;
        let all = || [footprint(&*word), footprint(&*odd), footprint(&*large)];
        assert!(is_counted::<Words>(all().into_iter()));
        Ok(())
    }

    #[test]
    fn objects_take_what_is_counted() -> Result {
        let cache = KmemCache::<Objects>::new(Options::new())?;
        let mut objects: KVec<Object<'_, Objects>> = KVec::new();
        for _ in 0..100 {
            objects.push(cache.zeroed(GFP_KERNEL)?, GFP_KERNEL)?;
            assert!(is_counted::<Objects>(
                objects.iter().map(|object| footprint(&**object))
            ));
        }
        Ok(())
    }

    #[test]
    fn pages_take_what_is_counted() -> Result {
        let mut random = Random(4);
        let mut blocks = KVec::new();
        for _ in 0..300 {
            if blocks.len() < 20 {
                blocks.push(Block::new(&mut random)?, GFP_KERNEL)?;
            } else if let Ok(block) = blocks.remove(random.below(20)) {
                if random.below(3) != 0 {
                    for block in block.turn(&mut random)? {
                        blocks.push(block, GFP_KERNEL)?;
                    }
                }
            }
            assert!(blocks.iter().all(|block| block.footprint() != 0));
            assert!(is_counted::<Blocks>(blocks.iter().map(Block::footprint)));
        }
        drop(blocks);
        assert!(is_counted::<Blocks>(core::iter::empty()));
        Ok(())
    }

    #[test]
    fn a_large_block_gives_its_memory_back() -> Result {
        let change = Change::of::<Either>();
        for flags in [GFP_KERNEL, GFP_NOWAIT] {
            let mut array = Array::<u8, KVmalloc<Either>>::zeroed(8 << 20, GFP_KERNEL)?;
            array[9] = 9;
            assert!(page_info::is_vmalloc(&array) && footprint(&array[..]) == 8 << 20);
            array.resize(10, flags)?;
            assert!(footprint(&array[..]) <= PAGE_SIZE && array[9] == 9);
            let (live, bytes, slack) = change.live();
            assert!((live, bytes) == (1, 10) && bytes + slack == footprint(&array[..]) as u64);
        }
        // C would round this size up.
        let array = Array::<u8, KVmalloc<Either>>::zeroed(MAX_SIZE + 1, GFP_KERNEL)?;
        assert!(footprint(&array[..]) == MAX_SIZE + PAGE_SIZE);
        Ok(())
    }

    #[test]
    fn an_area_gives_its_pages_back_whatever_the_flags() -> Result {
        let change = Change::of::<Mapped>();
        for flags in [GFP_KERNEL, GFP_ATOMIC, GFP_NOWAIT] {
            let mut array = Array::<u8, Vmalloc<Mapped>>::zeroed(9 * PAGE_SIZE, GFP_KERNEL)?;
            array.fill(3);
            array.resize(PAGE_SIZE + 1, flags)?;
            assert!(footprint(&array[..]) == 2 * PAGE_SIZE);
            assert!(array.iter().all(|&byte| byte == 3));
            assert!(change.live() == (1, PAGE_SIZE as u64 + 1, PAGE_SIZE as u64 - 1));
        }
        Ok(())
    }

    /// Returns whether a row adds up: its pages and its objects are both the memory that `live`
    /// takes, and the objects fit into their slab.
    fn adds_up(shape: Shape, live: &Totals) -> bool {
        let page = PAGE_SIZE as u64;
        let [object, per_slab, pages] = [
            shape.object_size,
            shape.objects_per_slab,
            shape.pages_per_slab,
        ]
        .map(u64::from);
        let (held, objects) = (shape.slabs * pages * page, shape.slabs * per_slab);
        objects >= live.live()
            && object * per_slab <= pages * page
            && (live.live_allocated..live.live_allocated + page).contains(&held)
            && (0..object.max(1)).contains(&(held - objects * object))
    }

    /// As many blocks, which take so many bytes.
    fn totals(blocks: u64, bytes: u64) -> Totals {
        Totals {
            allocs: blocks,
            live_bytes: bytes,
            live_allocated: bytes,
            ..Totals::default()
        }
    }

    #[test]
    fn rows_of_mixed_sizes_add_up() -> Result {
        let (mib, gib) = (1 << 20, 1 << 30);
        for live in [
            totals(0, 0),
            totals(1, 8),
            totals(1000, 8000),
            totals(1001, 64 * mib + 8000),
            totals(3, 3 * 4096),
            totals(5, 5 * 16384),
            totals(5, 5 * 12288),
            totals(9, 9 * 96),
            totals(9, 9 * 1024),
            totals(7, 20_000),
            totals(1_000_003, 70 * mib + 5),
            // Objects larger than the column.
            totals(2, 20 * gib),
            totals(1_000_000_000, 7 * 1024 * gib),
        ] {
            for shape in [
                family::Kmalloc::shape(Bytes::site(), &live),
                family::KVmalloc::shape(Either::site(), &live),
                family::Vmalloc::shape(Mapped::site(), &live),
                family::PageAlloc::shape(Blocks::site(), &live),
                // A unit's site with blocks of other sizes.
                family::Kmalloc::shape(Words::site(), &live),
            ] {
                assert!(adds_up(shape, &live));
            }
        }
        // Blocks of one size have the rows that they would have if it were the type's.
        for (bytes, geometry) in [
            (256, [256, 16, 1]),
            (4096, [4096, 1, 1]),
            (16384, [16384, 1, 4]),
        ] {
            let shape = family::PageAlloc::shape(Blocks::site(), &totals(16, 16 * bytes));
            let [object_size, objects_per_slab, pages_per_slab] = geometry;
            let slabs = 16_u64.div_ceil(objects_per_slab.into());
            assert!(
                shape
                    == Shape {
                        object_size,
                        objects_per_slab,
                        pages_per_slab,
                        slabs
                    }
            );
        }
        // One with units only has the geometry of their slabs.
        let unit = family::Kmalloc::unit_footprint(Words::site()) as u64;
        let shape = family::Kmalloc::shape(Words::site(), &totals(10, 10 * unit));
        assert!(u64::from(shape.object_size) >= unit && shape.objects_per_slab >= 1);
        // The row includes a large block beside them.
        let shape = family::Kmalloc::shape(Words::site(), &totals(11, 10 * unit + 64 * mib));
        assert!(shape.slabs * u64::from(shape.pages_per_slab) * PAGE_SIZE as u64 > 64 * mib);
        Ok(())
    }
}
