// SPDX-License-Identifier: GPL-2.0-only

use kernel::prelude::*;

kalloc::sites! {
    pub(crate) Bytes: kmalloc([u8]), "kunit_memory_bytes";
    pub(crate) Mapped: vmalloc([u8]), "kunit_memory_mapped";
    pub(crate) Blocks: pages, "kunit_memory_pages";
}

#[kunit_tests(kalloc_page_info)]
mod tests {
    use super::*;
    use kalloc::{
        alloc::{
            kmalloc::MAX_SLAB_SIZE,
            vmalloc, //
        },
        mm::{
            mmap::Mappable,
            page_info::{
                comes_zeroed,
                free,
                is_slab,
                is_vmalloc,
                mapped,
                pfn_of,
                preemptible,
                zone_of,
                zone_of_page, //
            }, //
        }, //
        Array,
        Gfp,
        Kmalloc,
        Order,
        Pages,
        Vmalloc,
    };
    use kernel::{
        new_spinlock,
        page::{
            Page,
            PAGE_SIZE, //
        }, //
    };

    type Block = Array<u8, Kmalloc<Bytes>>;
    type MappedBlock = Array<u8, Vmalloc<Mapped>>;

    static OURS: [u8; 8] = [1; 8];

    #[test]
    fn pfn_of_direct_map_and_vmalloc() -> Result {
        let block = Block::zeroed(3 * PAGE_SIZE, GFP_KERNEL)?;
        let first = pfn_of(&block, 0)?;
        assert!(pfn_of(&block, PAGE_SIZE - 1) == Ok(first));
        assert!(pfn_of(&block, 2 * PAGE_SIZE) == Ok(first + 2));

        let pages = Pages::<Blocks>::zeroed(Order::of::<1>(), GFP_KERNEL)?;
        assert!(pfn_of(&pages, PAGE_SIZE) == Ok(pages.pfn() + 1));

        let block = MappedBlock::zeroed(3 * PAGE_SIZE, GFP_KERNEL)?;
        for offset in [0, PAGE_SIZE, 2 * PAGE_SIZE] {
            assert!(pfn_of(&block, offset).ok() == block.pfn(offset / PAGE_SIZE));
        }
        assert!(is_vmalloc(&block));
        Ok(())
    }

    #[test]
    fn pfn_of_outside_both_maps() -> Result {
        let block = Block::zeroed(100, GFP_KERNEL)?;
        assert!(pfn_of(&block, 100) == Err(EINVAL));
        assert!(pfn_of(&[], 0) == Err(EINVAL));
        // Data of a module. That of the kernel image may be in the direct map.
        if cfg!(MODULE) {
            assert!(pfn_of(&OURS, 0) == Err(EINVAL));
            assert!(zone_of(&OURS, 0).is_err() && is_slab(&OURS) == Err(EINVAL));
        }
        assert!(mapped(&OURS) == Err(EINVAL) && mapped(&[]) == Err(EINVAL));
        assert!(mapped(&block) == Err(EINVAL));
        Ok(())
    }

    #[test]
    fn zone_of_requested_zone() -> Result {
        let low = Pages::<Blocks>::zeroed(Order::ZERO, Gfp::KERNEL | Gfp::DMA32)?;
        let zone = zone_of(&low, 0)?;
        assert!(zone == c"DMA32" || zone == c"DMA" || zone == c"Normal");
        assert!(zone != c"Normal" || low.phys() < 1 << 32);

        let page = Page::alloc_page(GFP_KERNEL)?;
        let zone = zone_of_page(&page);
        assert!([c"Normal", c"DMA32", c"DMA"].contains(&zone));
        Ok(())
    }

    #[test]
    fn is_slab_small_blocks_only() -> Result {
        assert!(is_slab(&Block::zeroed(8, GFP_KERNEL)?) == Ok(true));
        assert!(is_slab(&Block::zeroed(MAX_SLAB_SIZE, GFP_KERNEL)?) == Ok(true));
        assert!(is_slab(&Block::zeroed(MAX_SLAB_SIZE + 1, GFP_KERNEL)?) == Ok(false));
        assert!(is_slab(&MappedBlock::zeroed(8, GFP_KERNEL)?) == Ok(false));
        let pages = Pages::<Blocks>::zeroed(Order::ZERO, GFP_KERNEL)?;
        assert!(is_slab(&pages) == Ok(false));
        Ok(())
    }

    #[test]
    fn mapped_whole_pages() -> Result {
        for (size, pages) in [
            (1, 1),
            (PAGE_SIZE, 1),
            (PAGE_SIZE + 1, 2),
            (9 * PAGE_SIZE + 1, 10),
        ] {
            let block = MappedBlock::zeroed(size, GFP_KERNEL)?;
            assert!(mapped(&block) == Ok(pages * PAGE_SIZE));
        }
        let block = MappedBlock::zeroed(2 * PAGE_SIZE, GFP_KERNEL)?;
        let rest = block.get(100..).ok_or(EINVAL)?;
        assert!(mapped(rest) == Ok(2 * PAGE_SIZE - 100));
        Ok(())
    }

    #[test]
    fn mapped_part_of_block() -> Result {
        // The parts of a block are followed by mapped pages, like a block without a guard page.
        let block = MappedBlock::zeroed(3 * PAGE_SIZE, GFP_KERNEL)?;
        let part = |from: usize, to: usize| block.get(from..to).ok_or(EINVAL).and_then(mapped);
        assert!(part(0, 1) == Ok(PAGE_SIZE));
        assert!(part(0, PAGE_SIZE) == Ok(PAGE_SIZE));
        assert!(part(100, 200) == Ok(PAGE_SIZE - 100));
        assert!(part(100, PAGE_SIZE + 1) == Ok(2 * PAGE_SIZE - 100));
        assert!(part(PAGE_SIZE - 1, PAGE_SIZE) == Ok(1));
        Ok(())
    }

    #[test]
    fn preemptible_under_spinlock() {
        assert!(preemptible());
        pin_init::stack_pin_init!(let lock = new_spinlock!(()));
        let guard = lock.lock();
        assert!(preemptible() == cfg!(CONFIG_PREEMPT_RT));
        drop(guard);
        assert!(preemptible());
    }

    #[test]
    fn free_and_comes_zeroed() {
        assert!(free() > 0 && free() < vmalloc::max_size());
        assert!(comes_zeroed(GFP_KERNEL | __GFP_ZERO));
    }
}
