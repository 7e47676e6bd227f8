// SPDX-License-Identifier: GPL-2.0-only

use kalloc::mm::mmap::PageBytes;
use kernel::prelude::*;

/// A slab object that consists of whole pages.
pub(crate) type Twins = [PageBytes; 2];

kalloc::sites! {
    pub(crate) Blocks: pages, "kunit_map_pages";
    pub(crate) Bytes: kmalloc([u8]), "kunit_map_kmalloc";
    pub(crate) Boxes: kmalloc([PageBytes; 1]), "kunit_map_kbox";
    pub(crate) Mixed: kvmalloc([u8]), "kunit_map_kvmalloc";
    pub(crate) Objects: cache(Twins), "kunit_map_cache";
    pub(crate) Distant: vmalloc([u8]), "kunit_map_vmalloc";
}

#[kunit_tests(kalloc_mmap)]
mod tests {
    use super::*;
    use crate::Change;
    use kalloc::{
        mm::mmap::Mappable,
        slab::Options, //
        Array,
        CompoundPages,
        ExactPages,
        FreePages,
        KBox,
        KVmalloc,
        Kmalloc,
        KmemCache,
        Order,
        PageArray,
        PageCount,
        Pages,
        Vmalloc,
    };
    use kernel::{
        page::PAGE_SIZE,
        sync::Arc, //
    };

    /// Returns whether `memory` has exactly `pages` pages, each with its own page frame.
    fn has_pages(memory: &dyn Mappable, pages: usize) -> bool {
        let all = || (0..pages).map(|page| memory.pfn(page));
        memory.pages() == Ok(pages)
            && all().all(|pfn| pfn.is_some() && all().filter(|&other| other == pfn).count() == 1)
            && memory.pfn(pages).is_none()
            && memory.pfn(usize::MAX).is_none()
    }

    /// Returns whether the page frames are contiguous.
    fn is_contiguous(memory: &dyn Mappable, pages: usize) -> bool {
        (0..pages).all(|page| memory.pfn(page) == memory.pfn(0).map(|first| first + page))
    }

    #[test]
    fn check_out_of_range() -> Result {
        let block = Pages::<Blocks>::zeroed(Order::of::<2>(), GFP_KERNEL)?;
        for (first, count) in [(0, 1), (0, 4), (1, 3), (3, 1)] {
            assert!(block.check(first, count) == Ok(()));
        }
        for (first, count) in [
            (0, 0),
            (0, 5),
            (1, 4),
            (3, 2),
            (4, 0),
            (4, 1),
            (0, usize::MAX),
            (1, usize::MAX),
            (usize::MAX, 1),
            (usize::MAX, usize::MAX),
        ] {
            assert!(block.check(first, count) == Err(ENXIO));
        }
        Ok(())
    }

    #[test]
    fn pfn_page_blocks() -> Result {
        let block = Pages::<Blocks>::zeroed(Order::of::<3>(), GFP_KERNEL)?;
        assert!(has_pages(&block, 8) && is_contiguous(&block, 8));
        assert!(Mappable::pfn(&block, 0) == Some(Pages::pfn(&block)));
        let block = FreePages::<Blocks>::zeroed(Order::of::<1>(), GFP_KERNEL)?;
        assert!(has_pages(&block, 2) && is_contiguous(&block, 2));
        let pages = PageArray::<Blocks>::zeroed(9, GFP_KERNEL)?;
        assert!(has_pages(&pages, 9));
        for count in [1, 3, 1023] {
            let block = ExactPages::<Blocks>::zeroed(PageCount::new(count)?, GFP_KERNEL)?;
            assert!(has_pages(&block, count) && is_contiguous(&block, count));
            assert!(Mappable::pfn(&block, 0) == Some(block.pfn()));
        }
        let block = CompoundPages::<Blocks>::zeroed(Order::of::<2>(), GFP_KERNEL)?.share();
        assert!(has_pages(&block, 4) && is_contiguous(&block, 4));
        assert!(Mappable::pfn(&block, 0) == Some(block.pfn()));
        Ok(())
    }

    #[test]
    fn pfn_kmalloc_blocks() -> Result {
        for pages in [1, 2, 3, 4, 5, 16] {
            let array = Array::<u8, Kmalloc<Bytes>>::zeroed(pages * PAGE_SIZE, GFP_KERNEL)?;
            assert!(has_pages(&array, pages) && is_contiguous(&array, pages));
            let array = Array::<u8, KVmalloc<Mixed>>::zeroed(pages * PAGE_SIZE, GFP_KERNEL)?;
            assert!(has_pages(&array, pages));
        }
        let boxed = KBox::<[PageBytes; 1], Boxes>::zeroed(GFP_KERNEL)?;
        assert!(has_pages(&boxed, 1));
        Ok(())
    }

    #[test]
    fn pfn_vmalloc_blocks() -> Result {
        let array = Array::<u8, Vmalloc<Distant>>::zeroed(300 * PAGE_SIZE, GFP_KERNEL)?;
        assert!(has_pages(&array, 300));
        for page in 0..300 {
            let told = kalloc::mm::page_info::pfn_of(&array, page * PAGE_SIZE)?;
            assert!(array.pfn(page) == Some(told));
        }
        Ok(())
    }

    #[test]
    fn check_partial_page() -> Result {
        for length in [1, PAGE_SIZE - 1, PAGE_SIZE + 1, 3 * PAGE_SIZE / 2] {
            let array = Array::<u8, Kmalloc<Bytes>>::zeroed(length, GFP_KERNEL)?;
            assert!(array.pages() == Err(EINVAL) && array.check(0, 1) == Err(EINVAL));
            let array = Array::<u8, Vmalloc<Distant>>::zeroed(length, GFP_KERNEL)?;
            assert!(array.pages() == Err(EINVAL));
        }
        // Grown to whole pages, the array can be mapped.
        let mut array = Array::<u8, Kmalloc<Bytes>>::zeroed(100, GFP_KERNEL)?;
        array.resize(2 * PAGE_SIZE, GFP_KERNEL)?;
        assert!(has_pages(&array, 2));
        // An empty array has no pages.
        let array = Array::<u8, Kmalloc<Bytes>>::zeroed(0, GFP_KERNEL)?;
        assert!(array.check(0, 1) == Err(ENXIO) && array.pfn(0).is_none());
        Ok(())
    }

    #[test]
    fn array_resize_after_arc_unique() -> Result {
        let change = Change::of::<Distant>();
        let buffer = Array::<PageBytes, Vmalloc<Distant>>::zeroed(2, GFP_KERNEL)?;
        let mut buffer = Arc::new(buffer, GFP_KERNEL)?;
        for pages in [5, 1, 300] {
            assert!(buffer.check(0, buffer.len()) == Ok(()));
            let mut alone = Arc::into_unique_or_drop(buffer).ok_or(EBUSY)?;
            alone.resize(pages, GFP_KERNEL)?;
            assert!(alone
                .iter()
                .all(|frame| frame.iter().all(|&byte| byte == 0)));
            buffer = alone.into();
            assert!(has_pages(&*buffer, pages));
        }
        // A mapped area holds a reference, like this clone.
        let area = buffer.clone();
        assert!(Arc::into_unique_or_drop(buffer).is_none());
        assert!(area.len() == 300 && change.live() == (1, 300 * PAGE_SIZE as u64, 0));
        Ok(())
    }

    #[test]
    fn pfn_slab_objects() -> Result {
        let change = Change::of::<Objects>();
        let cache = Arc::new(KmemCache::<Objects>::new(Options::new())?, GFP_KERNEL)?;
        let mut objects = KVec::new();
        for _ in 0..8 {
            let object = cache
                .reserve_arc(GFP_KERNEL)?
                .init(pin_init::init_zeroed())?;
            assert!(has_pages(&object, 2) && is_contiguous(&object, 2));
            objects.push(object, GFP_KERNEL)?;
        }
        let frames = || objects.iter().flat_map(|o| [o.pfn(0), o.pfn(1)]);
        assert!(frames().all(|pfn| frames().filter(|&other| other == pfn).count() == 1));
        assert!(change.live().0 == 8);
        drop(objects);
        assert!(change.live().0 == 0);
        Ok(())
    }

    #[test]
    fn page_bytes_size_and_align() -> Result {
        let mut frame = KBox::<[PageBytes; 1], Boxes>::zeroed(GFP_KERNEL)?;
        assert!(frame[0].iter().all(|&byte| byte == 0));
        frame[0].fill(7);
        assert!(frame[0].len() == PAGE_SIZE && align_of::<PageBytes>() == PAGE_SIZE);
        Ok(())
    }
}
