// SPDX-License-Identifier: GPL-2.0-only

//! Compares the bytes that sites count as taken with the footprint of each live block.

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

/// A generator of random numbers (xorshift).
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// Returns a number from 0 to `n - 1`.
    fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }

    /// Returns a size: every order of magnitude up to 64 KiB, whole pages and others.
    fn size(&mut self) -> usize {
        let most = 1 << (3 + self.below(14));
        match self.below(4) {
            0 => (1 + self.below(16)) * PAGE_SIZE,
            _ => 1 + self.below(most),
        }
    }

    /// Returns flags for a size. With flags that do not sleep, vmalloc keeps pages that a smaller
    /// block does not need.
    fn flags(&mut self) -> Flags {
        [GFP_KERNEL, GFP_ATOMIC, GFP_NOWAIT, GFP_KERNEL_ACCOUNT][self.below(4)] | __GFP_NOWARN
    }
}

/// Returns whether the footprints of a site's blocks add up to the counted bytes.
fn is_counted<S: Tag>(footprints: impl Iterator<Item = usize>) -> bool {
    footprints.map(|bytes| bytes as u64).sum::<u64>() == S::site().totals().live_allocated
}

/// Sizes from which vmalloc maps larger pages, and sizes that are no multiple of those.
const LARGE: [usize; 4] = [(2 << 20) + 1, MAX_SIZE + 1, (6 << 20) - PAGE_SIZE, 6 << 20];

/// Returns whether the counted bytes are right after each allocation, free and resize of an array.
fn arrays_are_counted<A: Allocator, S: Tag>(seed: u32) -> Result<bool> {
    let mut random = Random(seed);
    let mut arrays: [Option<kalloc::Array<u8, A>>; 6] = [const { None }; 6];
    for _ in 0..200 {
        let (size, flags) = (random.size(), random.flags());
        match &mut arrays[random.below(6)] {
            // A failed resize changes nothing.
            Some(array) if random.below(8) != 0 => array.resize(size, flags).unwrap_or(()),
            slot => *slot = kalloc::Array::zeroed(size, flags).ok(),
        }
        if !is_counted::<S>(arrays.iter().flatten().map(|array| footprint(&array[..]))) {
            return Ok(false);
        }
    }
    drop(arrays);
    // From each large size to each other large size, and to small ones.
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

/// A block of pages of any owner type.
enum Block {
    Order(Pages<Blocks, MaybeUninit<u8>>),
    Address(FreePages<Blocks>),
    Exact(ExactPages<Blocks>),
    Compound(CompoundPages<Blocks>),
    /// Sometimes with a second owner.
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

    /// Shares, unshares or splits the block. Returns the blocks that remain.
    fn turn(self, random: &mut Random) -> Result<KVec<Block>> {
        let mut blocks = KVec::new();
        match self {
            Block::Order(block) => {
                for page in block.split_pages() {
                    // Drops some of the pages.
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
    fn kmalloc_array_footprint() -> Result {
        assert!(arrays_are_counted::<Kmalloc<Bytes>, Bytes>(1)?);
        Ok(())
    }

    #[test]
    fn kvmalloc_array_footprint() -> Result {
        assert!(arrays_are_counted::<KVmalloc<Either>, Either>(2)?);
        Ok(())
    }

    #[test]
    fn vmalloc_array_footprint() -> Result {
        assert!(arrays_are_counted::<Vmalloc<Mapped>, Mapped>(3)?);
        Ok(())
    }

    #[test]
    fn kbox_footprint() -> Result {
        let word = KBox::<_, Words>::new([1_u64; 3], GFP_KERNEL)?;
        assert!(is_counted::<Words>([footprint(&*word)].into_iter()));
        let odd = KBox::<_, Words>::new([1_u8; 5], GFP_KERNEL)?;
        let large = KBox::<[u8; 10_000], Words>::zeroed(GFP_KERNEL)?;
        let all = || [footprint(&*word), footprint(&*odd), footprint(&*large)];
        assert!(is_counted::<Words>(all().into_iter()));
        Ok(())
    }

    #[test]
    fn kmem_cache_object_footprint() -> Result {
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
    fn page_block_footprint() -> Result {
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
    fn kvmalloc_resize_shrinks_to_slab() -> Result {
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
        // C would round this size up to a power of two.
        let array = Array::<u8, KVmalloc<Either>>::zeroed(MAX_SIZE + 1, GFP_KERNEL)?;
        assert!(footprint(&array[..]) == MAX_SIZE + PAGE_SIZE);
        Ok(())
    }

    #[test]
    fn vmalloc_resize_shrinks_any_flags() -> Result {
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

    /// Returns whether a row is consistent: its pages and its objects both amount to the memory
    /// that `live` takes, and the objects fit into their slab.
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

    /// Returns totals with `blocks` live blocks of `bytes` bytes in total.
    fn totals(blocks: u64, bytes: u64) -> Totals {
        Totals {
            allocs: blocks,
            live_bytes: bytes,
            live_allocated: bytes,
            ..Totals::default()
        }
    }

    #[test]
    fn shape_of_mixed_sizes() -> Result {
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
            // These objects are larger than the column can show.
            totals(2, 20 * gib),
            totals(1_000_000_000, 7 * 1024 * gib),
        ] {
            for shape in [
                family::Kmalloc::shape(Bytes::site(), &live),
                family::KVmalloc::shape(Either::site(), &live),
                family::Vmalloc::shape(Mapped::site(), &live),
                family::PageAlloc::shape(Blocks::site(), &live),
                // A site with an object size that also has blocks of other sizes.
                family::Kmalloc::shape(Words::site(), &live),
            ] {
                assert!(adds_up(shape, &live));
            }
        }
        // Blocks of one size have the same row as a type of that size.
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
        // A site with blocks of its object size only has the geometry of their slabs.
        let unit = family::Kmalloc::unit_footprint(Words::site()) as u64;
        let shape = family::Kmalloc::shape(Words::site(), &totals(10, 10 * unit));
        assert!(u64::from(shape.object_size) >= unit && shape.objects_per_slab >= 1);
        // The row also includes a large block.
        let shape = family::Kmalloc::shape(Words::site(), &totals(11, 10 * unit + 64 * mib));
        assert!(shape.slabs * u64::from(shape.pages_per_slab) * PAGE_SIZE as u64 > 64 * mib);
        Ok(())
    }
}
