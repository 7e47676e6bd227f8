// SPDX-License-Identifier: GPL-2.0-only

use kernel::prelude::*;

kalloc::sites! {
    pub(crate) Blocks: pages, "kunit_pages";
}

#[kunit_tests(kalloc_page)]
mod tests {
    use super::*;
    use crate::Change;
    use kalloc::{
        FreePages,
        Gfp,
        Order,
        PageArray,
        Pages,
        Tag,
        Zone, //
    };
    use kernel::page::PAGE_SIZE;

    /// Returns every order that the page allocator supports.
    fn orders() -> impl Iterator<Item = Order> {
        (0..).map_while(|order| Order::new(order).ok())
    }

    #[test]
    fn pages_zeroed_every_order() -> Result {
        let change = Change::of::<Blocks>();
        for order in orders() {
            let mut block = Pages::<Blocks>::zeroed(order, Gfp::KERNEL | Gfp::NOWARN)?;
            assert!(block.order() == order && block.len() == PAGE_SIZE << order.get());
            assert!(block.iter().all(|&byte| byte == 0));
            block.fill(0xff);
            assert!(change.live() == (1, block.len() as u64, 0));
        }
        assert!(change.live() == (0, 0, 0));
        Ok(())
    }

    #[test]
    fn free_pages_zeroed_every_order() -> Result {
        let change = Change::of::<Blocks>();
        for order in orders() {
            let block = FreePages::<Blocks>::zeroed(order, Gfp::KERNEL | Gfp::NOWARN)?;
            assert!(block.iter().all(|&byte| byte == 0));
            // A block is aligned to its own size.
            assert!(block.as_ptr().addr() % block.len() == 0);
            assert!(block.phys() % block.len() as u64 == 0);
        }
        assert!(change.live() == (0, 0, 0));
        Ok(())
    }

    #[test]
    fn pages_uninit_fill() -> Result {
        let block = Pages::<Blocks, _>::uninit(Order::of::<1>(), GFP_KERNEL)?.fill(9);
        assert!(block.iter().all(|&byte| byte == 9));
        Ok(())
    }

    #[test]
    fn pages_zeroed_distinct() -> Result {
        let change = Change::of::<Blocks>();
        let mut blocks = KVec::new();
        for index in 0..64u8 {
            let mut block = Pages::<Blocks>::zeroed(Order::ZERO, GFP_KERNEL)?;
            block.fill(index);
            blocks.push(block, GFP_KERNEL)?;
        }
        for (index, block) in blocks.iter().enumerate() {
            assert!(block.iter().all(|&byte| usize::from(byte) == index));
            assert!(blocks.iter().filter(|b| b.pfn() == block.pfn()).count() == 1);
        }
        assert!(change.live() == (64, 64 * PAGE_SIZE as u64, 0));
        Ok(())
    }

    #[test]
    fn pages_uninit_failure_counted() -> Result {
        let change = Change::of::<Blocks>();
        // More blocks of the largest order than any test machine has.
        let mut blocks = KVec::new();
        let flags = Gfp::KERNEL | Gfp::NORETRY | Gfp::NOWARN;
        let failed = loop {
            match Pages::<Blocks, _>::uninit(Order::MAX, flags) {
                Ok(block) => blocks.push(block, GFP_KERNEL)?,
                Err(_) => break change.events(),
            }
        };
        assert!(failed.2 == 1 && failed.0 == blocks.len() as u64);
        drop(blocks);
        assert!(change.live() == (0, 0, 0));
        Ok(())
    }

    #[test]
    fn pages_zeroed_atomic_and_dma32() -> Result {
        assert!(Pages::<Blocks>::zeroed(Order::ZERO, GFP_ATOMIC)?.len() == PAGE_SIZE);
        let low = Pages::<Blocks>::zeroed(Order::ZERO, Gfp::KERNEL | Gfp::DMA32)?;
        assert!(low.phys() < 1 << 32);
        assert!(low.node() == 0);
        let zoned = matches!(low.zone(), Zone::Dma | Zone::Dma32);
        assert!(zoned || !cfg!(CONFIG_ZONE_DMA32));
        Ok(())
    }

    #[test]
    fn page_array_zeroed() -> Result {
        let change = Change::of::<Blocks>();
        let pages = PageArray::<Blocks>::zeroed(33, GFP_KERNEL)?;
        assert!(pages.len() == 33 && !pages.is_empty());
        for index in 0..33 {
            let pfn = pages.pfn(index);
            assert!(pfn.is_some());
            assert!((0..index).all(|other| pages.pfn(other) != pfn));
        }
        assert!(pages.pfn(33).is_none());
        assert!(change.live() == (33, 33 * PAGE_SIZE as u64, 0));
        drop(pages);
        assert!(change.events() == (33, 33, 0));
        Ok(())
    }

    #[test]
    fn page_array_zeroed_invalid_length() {
        // A request above the machine's memory fails before any allocation.
        let change = Change::of::<Blocks>();
        let before = Blocks::site().totals().failures;
        assert!(PageArray::<Blocks>::zeroed(0, GFP_KERNEL).is_err());
        let too_many = kalloc::alloc::vmalloc::max_size() / PAGE_SIZE + 1;
        assert!(PageArray::<Blocks>::zeroed(too_many, GFP_KERNEL).is_err());
        assert!(PageArray::<Blocks>::zeroed(usize::MAX, GFP_KERNEL).is_err());
        assert!(change.events() == (0, 0, 3));
        assert!(Blocks::site().totals().failures.invalid == before.invalid + 3);
    }
}
