// SPDX-License-Identifier: GPL-2.0-only

//! kalloc never passes on a zone flag that the allocator does not support, whatever flags the
//! caller passes.

use kalloc::slab::{
    Construct,
    Reset,
    TypesafeByRcu, //
};
use kernel::prelude::*;

/// An object with a constructor.
pub(crate) struct Mark(u64);

impl Construct for Mark {
    fn construct() -> impl PinInit<Self> {
        Mark(1)
    }
}

impl Reset for Mark {
    fn reset(mut self: Pin<&mut Self>) {
        self.0 = 1;
    }
}

kalloc::sites! {
    pub(crate) Contiguous: kmalloc([u8]), "kunit_zone_kmalloc";
    pub(crate) Either: kvmalloc([u8]), "kunit_zone_kvmalloc";
    pub(crate) Mapped: vmalloc([u8]), "kunit_zone_vmalloc";
    pub(crate) Objects: cache([u64; 9]), "kunit_zone_object";
    pub(crate) Marks: cache(Mark), "kunit_zone_mark";
    pub(crate) Conns: cache(TypesafeByRcu<(), u64>), "kunit_zone_conn";
    pub(crate) Blocks: pages, "kunit_zone_page";
}

#[kunit_tests(kalloc_gfp_zone)]
mod tests {
    use super::*;
    use crate::observe::{
        calls,
        has_warned,
        Calls, //
    };
    use kalloc::{
        alloc::kmalloc::MAX_SLAB_SIZE,
        page::{
            Block,
            BlockKind, //
        },
        slab::{
            ConstructedCache,
            Options,
            RcuCache, //
        }, //
        Array,
        CompoundPages,
        ExactPages,
        FreePages,
        Gfp,
        KVmalloc,
        Kmalloc,
        KmemCache,
        Order,
        PageCount,
        Pages,
        Vmalloc,
        Zone,
    };
    use kernel::{
        alloc::{
            flags::__GFP_HIGHMEM,
            NumaNode, //
        },
        page::PAGE_SIZE, //
    };

    const FLAGS: kernel::alloc::Flags = __GFP_HIGHMEM;

    /// Returns two sets of flags: high memory, and memory below 4 GiB.
    fn each() -> [Gfp; 2] {
        [Gfp::from(GFP_KERNEL | FLAGS), GFP_KERNEL | Gfp::DMA32]
    }

    /// Returns flags with both zones.
    fn both() -> Gfp {
        GFP_KERNEL | __GFP_HIGHMEM | Gfp::DMA32
    }

    /// Returns whether `f` calls an allocator, and no call has a zone flag.
    fn asks_for_no_zone<R>(f: impl FnOnce() -> Result<R>) -> Result<bool> {
        let (result, calls) = calls(f);
        result?;
        Ok(matches!(calls, Calls::Anywhere | Calls::Unknown))
    }

    type Buffer = Array<u8, Kmalloc<Contiguous>>;

    #[test]
    fn kmalloc_alloc() -> Result {
        for size in [8, 1000, MAX_SLAB_SIZE] {
            let alloc = || Ok(Buffer::zeroed(size, GFP_KERNEL | FLAGS)?);
            assert!(asks_for_no_zone(alloc)?);
        }
        Ok(())
    }

    #[test]
    fn kmalloc_alloc_on_node() -> Result {
        let (flags, node) = (GFP_KERNEL | FLAGS, NumaNode::new(0)?);
        for size in [8, MAX_SLAB_SIZE + 1] {
            let alloc = || Ok(Buffer::zeroed_on(size, flags, node)?);
            assert!(asks_for_no_zone(alloc)?);
        }
        let alloc = || Ok(Buffer::zeroed(MAX_SLAB_SIZE + 1, flags)?);
        assert!(asks_for_no_zone(alloc)?);
        Ok(())
    }

    #[test]
    fn kmalloc_realloc() -> Result {
        let mut array = Buffer::zeroed(8, GFP_KERNEL)?;
        for size in [100, 8, MAX_SLAB_SIZE + 1] {
            assert!(asks_for_no_zone(|| Ok(
                array.resize(size, GFP_KERNEL | FLAGS)?
            ))?);
        }
        Ok(())
    }

    #[test]
    fn kvmalloc_alloc() -> Result {
        let flags = GFP_KERNEL | FLAGS;
        assert!(asks_for_no_zone(|| Ok(
            Array::<u8, KVmalloc<Either>>::zeroed(100, flags)?
        ))?);
        let mut array = Array::<u8, KVmalloc<Either>>::zeroed(100, GFP_KERNEL)?;
        assert!(asks_for_no_zone(|| Ok(array.resize(1000, flags)?))?);
        Ok(())
    }

    /// vmalloc adds high memory to the flags of its pages, and warns if the caller passes it.
    #[test]
    fn vmalloc_alloc() -> Result {
        let before = has_warned();
        drop(Array::<u8, Vmalloc<Mapped>>::zeroed(
            PAGE_SIZE,
            GFP_KERNEL | FLAGS,
        )?);
        assert!(has_warned() == before);
        Ok(())
    }

    #[test]
    fn slot_reserve() -> Result {
        let cache = KmemCache::<Objects>::new(Options::new())?;
        for flags in each() {
            assert!(asks_for_no_zone(|| Ok(cache.reserve(flags)?))?);
        }
        Ok(())
    }

    /// The first batch of a new cache allocates a slab with the batch's flags.
    #[test]
    fn batch_fill() -> Result {
        for flags in each() {
            let cache = KmemCache::<Objects>::new(Options::new())?;
            let mut batch = cache.batch::<8>();
            assert!(asks_for_no_zone(|| Ok(batch.fill(flags)?))?);
        }
        Ok(())
    }

    #[test]
    fn ctor_and_rcu_alloc() -> Result {
        let marks = ConstructedCache::<Marks>::new(Options::new())?;
        let conns = RcuCache::<Conns>::new(Options::new())?;
        for flags in each() {
            let take = || marks.alloc(flags).map(|mark| mark.0);
            let (mark, calls) = calls(take);
            assert!(mark? == 1 && calls != Calls::InZone);
            assert!(asks_for_no_zone(|| Ok(conns.reserve(flags)?))?);
        }
        Ok(())
    }

    fn is_low<K: BlockKind>(block: &Block<K, Blocks>) -> bool {
        matches!(block.zone(), Zone::Dma | Zone::Dma32) || !cfg!(CONFIG_ZONE_DMA32)
    }

    /// The kernel treats both zone flags at once as a bug.
    #[test]
    fn pages_alloc() -> Result {
        for order in [Order::ZERO, Order::of::<2>()] {
            assert!(is_low(&Pages::<Blocks>::zeroed(order, both())?));
            assert!(is_low(&FreePages::<Blocks>::zeroed(order, both())?));
            assert!(is_low(&CompoundPages::<Blocks>::zeroed(order, both())?));
        }
        Ok(())
    }

    /// An exact block cannot be in high memory; the kernel warns about the flag.
    #[test]
    fn alloc_pages_exact() -> Result {
        let before = has_warned();
        let count = PageCount::of::<3>();
        drop(ExactPages::<Blocks>::zeroed(
            count,
            GFP_KERNEL | __GFP_HIGHMEM,
        )?);
        assert!(has_warned() == before);
        assert!(is_low(&ExactPages::<Blocks>::zeroed(count, both())?));
        Ok(())
    }
}
