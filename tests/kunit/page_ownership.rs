// SPDX-License-Identifier: GPL-2.0-only

use kernel::prelude::*;

kalloc::sites! {
    pub(crate) Owned: pages, "kunit_page_owners";
}

#[kunit_tests(kalloc_page_ownership)]
mod tests {
    use super::*;
    use crate::Change;
    use kalloc::{
        page::{
            Block,
            BlockKind, //
        }, //
        CompoundPages,
        ExactPages,
        FreePages,
        Gfp,
        Order,
        PageCount,
        Pages,
    };
    use kernel::{
        page::PAGE_SIZE,
        uaccess::{
            UserPtr,
            UserSlice, //
        }, //
    };

    const PAGE: u64 = PAGE_SIZE as u64;

    /// Fills each page with its index.
    fn number<K: BlockKind>(block: &mut Block<K, Owned>) {
        for (index, page) in block.chunks_mut(PAGE_SIZE).enumerate() {
            page.fill(index as u8);
        }
    }

    #[test]
    fn split_pages() -> Result {
        let change = Change::of::<Owned>();
        let mut block = Pages::<Owned>::zeroed(Order::of::<3>(), GFP_KERNEL)?;
        number(&mut block);
        let first = block.pfn();
        let pages = block.split_pages();
        assert!(pages.len() == 8);
        assert!(change.live() == (8, 8 * PAGE, 0));

        let mut kept = KVec::new();
        for page in pages {
            kept.push(page, GFP_KERNEL)?;
        }
        for (index, page) in kept.iter().enumerate() {
            assert!(page.pfn() == first + index && page.order() == Order::ZERO);
            assert!(page.len() == PAGE_SIZE && page.iter().all(|&byte| byte == index as u8));
        }
        drop(kept.pop());
        assert!(change.live() == (7, 7 * PAGE, 0));
        drop(kept);
        assert!(change.events() == (9, 9, 0));
        Ok(())
    }

    #[test]
    fn split_pages_drop_frees_rest() -> Result {
        let change = Change::of::<Owned>();
        let mut pages = FreePages::<Owned>::zeroed(Order::of::<2>(), GFP_KERNEL)?.split_pages();
        let first = pages.next();
        assert!(pages.len() == 3);
        drop(pages);
        assert!(change.live() == (1, PAGE, 0));
        drop(first);
        assert!(change.live() == (0, 0, 0));

        // The largest order, and the smallest.
        let most = FreePages::<Owned, _>::uninit(Order::MAX, GFP_KERNEL)?.split_pages();
        let pages = 1 << Order::MAX.get();
        assert!(change.live() == (pages, pages * PAGE, 0));
        drop(most);
        let mut least = Pages::<Owned>::zeroed(Order::ZERO, GFP_KERNEL)?.split_pages();
        assert!(least.next().is_some() && least.next().is_none());
        assert!(change.live() == (0, 0, 0));
        Ok(())
    }

    #[test]
    fn exact_pages_size() -> Result {
        let change = Change::of::<Owned>();
        for count in [1, 3, 5, 1023, 1024] {
            let mut block = ExactPages::<Owned>::zeroed(PageCount::new(count)?, GFP_KERNEL)?;
            assert!(block.len() == count * PAGE_SIZE && block.iter().all(|&byte| byte == 0));
            assert!(change.live() == (1, count as u64 * PAGE, 0));
            number(&mut block);
            let last = block.as_ptr().addr() + (count - 1) * PAGE_SIZE;
            let pages = block.split_pages();
            assert!(change.live() == (count as u64, count as u64 * PAGE, 0));
            for (index, page) in pages.enumerate() {
                assert!(page.iter().all(|&byte| byte == index as u8));
                assert!(page.as_ptr().addr() == last - (count - 1 - index) * PAGE_SIZE);
            }
            assert!(change.live() == (0, 0, 0));
        }
        let block = ExactPages::<Owned, _>::uninit(PageCount::of::<3>(), GFP_ATOMIC)?.fill(7);
        assert!(block.iter().all(|&byte| byte == 7));
        Ok(())
    }

    /// The pages behind a block of three pages were returned to the allocator. Another thread may
    /// have allocated them, but not behind every block.
    #[test]
    fn alloc_pages_exact_frees_rest() -> Result {
        let mut blocks = KVec::new();
        for _ in 0..16 {
            let block = ExactPages::<Owned>::zeroed(PageCount::of::<3>(), GFP_KERNEL)?;
            blocks.push(block, GFP_KERNEL)?;
        }
        assert!(blocks
            .iter()
            .any(|block| crate::observe::references_behind(block) == 0));
        Ok(())
    }

    /// A block takes the pages of its order, not twice as many.
    #[test]
    fn get_free_pages_size() -> Result {
        let order = Order::of::<9>();
        let taken = |free: usize| {
            let taken = free.saturating_sub(kalloc::mm::page_info::free());
            taken > order.bytes() / 2 && taken < order.bytes() / 2 * 3
        };
        let free = kalloc::mm::page_info::free();
        let block = Pages::<Owned, _>::uninit(order, GFP_KERNEL)?;
        assert!(taken(free));
        drop(block);
        let free = kalloc::mm::page_info::free();
        let block = FreePages::<Owned, _>::uninit(order, GFP_KERNEL)?;
        assert!(taken(free));
        drop(block);
        let free = kalloc::mm::page_info::free();
        let block = CompoundPages::<Owned, _>::uninit(order, GFP_KERNEL)?;
        assert!(taken(free));
        drop(block);
        Ok(())
    }

    #[test]
    fn compound_and_exact_failure_counted() -> Result {
        let change = Change::of::<Owned>();
        let flags = Gfp::KERNEL | Gfp::NORETRY | Gfp::NOWARN;
        // More memory than any test machine has.
        let mut blocks = KVec::new();
        while let Ok(block) = CompoundPages::<Owned, _>::uninit(Order::MAX, flags) {
            blocks.push(block, GFP_KERNEL)?;
        }
        // Reclaim may have freed one more block meanwhile.
        let mut exact = KVec::new();
        while let Ok(block) = ExactPages::<Owned, _>::uninit(PageCount::of::<1023>(), flags) {
            exact.push(block, GFP_KERNEL)?;
        }
        let (allocs, _, failures) = change.events();
        assert!(failures == 2 && allocs == (blocks.len() + exact.len()) as u64);
        drop((blocks, exact));
        assert!(change.live() == (0, 0, 0));
        Ok(())
    }

    #[test]
    fn shared_pages_drop_last() -> Result {
        let change = Change::of::<Owned>();
        for order in [Order::ZERO, Order::of::<3>(), Order::MAX] {
            let bytes = order.bytes() as u64;
            let mut block = CompoundPages::<Owned>::zeroed(order, GFP_KERNEL)?;
            number(&mut block);
            let place = (block.phys(), block.node(), block.zone());
            let first = block.share();
            let second = first.clone();
            let third = second.clone();
            assert!(first.as_ptr() == third.as_ptr() && first.pfn() == third.pfn());
            assert!((first.phys(), first.node(), first.zone()) == place);
            assert!(change.live() == (1, bytes, 0));
            drop(first);
            drop(third);
            assert!(second.order() == order && second.len() == order.bytes());
            for (index, page) in second.chunks(PAGE_SIZE).enumerate() {
                assert!(page.iter().all(|&byte| byte == index as u8));
            }
            assert!(change.live() == (1, bytes, 0));
            drop(second);
            assert!(change.live() == (0, 0, 0));
        }
        assert!(change.events() == (3, 3, 0));
        Ok(())
    }

    #[test]
    fn page_ref_outlives_owners() -> Result {
        let change = Change::of::<Owned>();
        let mut block = CompoundPages::<Owned>::zeroed(Order::of::<1>(), GFP_KERNEL)?;
        number(&mut block);
        let owner = block.share();
        let reference = owner.reference()?;
        assert!(reference.pfn() == owner.pfn());
        drop(owner);
        // For the site, the block is freed.
        assert!(change.events() == (1, 1, 0));
        // The memory is not freed: no other allocation returns it.
        for _ in 0..64 {
            let other = Pages::<Owned>::zeroed(Order::of::<1>(), GFP_KERNEL)?;
            assert!(other.pfn() != reference.pfn());
        }
        for (index, page) in reference.chunks(PAGE_SIZE).enumerate() {
            assert!(page.iter().all(|&byte| byte == index as u8));
        }
        Ok(())
    }

    #[test]
    fn shared_pages_try_into_unique() -> Result {
        let change = Change::of::<Owned>();
        let owner = CompoundPages::<Owned>::zeroed(Order::of::<2>(), GFP_KERNEL)?.share();
        let other = owner.clone();
        let owner = owner.try_into_unique().err().ok_or(EINVAL)?;
        drop(other);
        let reference = owner.reference()?;
        let owner = owner.try_into_unique().err().ok_or(EINVAL)?;
        drop(reference);
        let mut block = owner.try_into_unique().map_err(|_| EBUSY)?;
        number(&mut block);
        let again = block.share();
        assert!(again[3 * PAGE_SIZE] == 3);
        assert!(change.live() == (1, 4 * PAGE, 0));
        drop(again);
        assert!(change.events() == (1, 1, 0));
        Ok(())
    }

    #[test]
    fn read_from_efault_returns_block() -> Result {
        crate::observe::attach_mm()?;
        let change = Change::of::<Owned>();
        let mut reader = UserSlice::new(UserPtr::from_addr(PAGE_SIZE), PAGE_SIZE).reader();
        let block = Pages::<Owned, _>::uninit(Order::ZERO, GFP_KERNEL)?;
        let pfn = block.pfn();
        let Err((block, error)) = block.read_from(&mut reader) else {
            return Err(EINVAL);
        };
        assert!(error == EFAULT && block.pfn() == pfn);
        // Without bytes to read, the block is zeroed.
        reader.skip(PAGE_SIZE)?;
        let block = block.fill(1);
        assert!(block.iter().all(|&byte| byte == 1));
        drop(block);
        let block = Pages::<Owned, _>::uninit(Order::ZERO, GFP_KERNEL)?;
        let block = block.read_from(&mut reader).map_err(|(_, error)| error)?;
        assert!(block.iter().all(|&byte| byte == 0));
        drop(block);
        assert!(change.live() == (0, 0, 0));
        Ok(())
    }
}
