// SPDX-License-Identifier: GPL-2.0-only

use kernel::prelude::*;

kalloc::sites! {
    pub(crate) Sequence: pages, "kunit_page_array";
}

#[kunit_tests(kalloc_page_array)]
mod tests {
    use super::*;
    use kalloc::{
        Gfp,
        Mapping,
        PageArray,
        Zone, //
    };
    use kernel::{
        alloc::flags::__GFP_HIGHMEM,
        page::PAGE_SIZE,
        uaccess::{
            UserPtr,
            UserSlice, //
        }, //
    };

    #[test]
    fn read_write_across_pages() -> Result {
        let mut pages = PageArray::<Sequence>::zeroed(3, GFP_KERNEL)?;
        let mut buffer = KVec::from_elem(9u8, 3 * PAGE_SIZE, GFP_KERNEL)?;
        pages.read(0, &mut buffer)?;
        assert!(buffer.iter().all(|&byte| byte == 0));

        for (index, byte) in buffer.iter_mut().enumerate() {
            *byte = (index % 251) as u8 + 1;
        }
        pages.write(PAGE_SIZE - 1, &buffer[..PAGE_SIZE + 2])?;
        let mapping = Mapping::new(&mut pages)?;
        assert!(mapping[PAGE_SIZE - 2] == 0 && mapping[2 * PAGE_SIZE + 1] == 0);
        assert!(mapping[PAGE_SIZE - 1..2 * PAGE_SIZE + 1] == buffer[..PAGE_SIZE + 2]);
        drop(mapping);

        let mut part = KVec::from_elem(0u8, PAGE_SIZE + 2, GFP_KERNEL)?;
        pages.read(PAGE_SIZE - 1, &mut part)?;
        assert!(part[..] == buffer[..PAGE_SIZE + 2]);
        Ok(())
    }

    #[test]
    fn read_write_out_of_range() -> Result {
        let mut pages = PageArray::<Sequence>::zeroed(2, GFP_KERNEL)?;
        let mut byte = [1];
        assert!(pages.read(2 * PAGE_SIZE, &mut byte) == Err(EINVAL));
        assert!(pages.write(2 * PAGE_SIZE, &byte) == Err(EINVAL));
        assert!(pages.write(usize::MAX, &byte) == Err(EINVAL));
        assert!(pages.write(2 * PAGE_SIZE - 1, &[1, 1]) == Err(EINVAL));
        pages.read(2 * PAGE_SIZE, &mut [])?;
        pages.read(2 * PAGE_SIZE - 1, &mut byte)?;
        assert!(byte == [0]);
        assert!(pages.copy_page(0, 2) == Err(EINVAL) && pages.copy_page(2, 0) == Err(EINVAL));
        Ok(())
    }

    #[test]
    fn copy_page() -> Result {
        let mut pages = PageArray::<Sequence>::zeroed(3, GFP_KERNEL)?;
        pages.write(PAGE_SIZE, &[7; 100])?;
        pages.copy_page(1, 2)?;
        pages.copy_page(1, 1)?;
        let mut copy = [0; 101];
        pages.read(2 * PAGE_SIZE, &mut copy)?;
        assert!(copy[..100] == [7; 100] && copy[100] == 0);
        pages.read(0, &mut copy)?;
        assert!(copy == [0; 101]);
        Ok(())
    }

    #[test]
    fn zeroed_requested_zone() -> Result {
        // The page allocator does not accept both zone flags at once.
        for flags in [
            Gfp::DMA32 | Gfp::KERNEL,
            GFP_KERNEL | __GFP_HIGHMEM | Gfp::DMA32,
        ] {
            let pages = PageArray::<Sequence>::zeroed(4, flags)?;
            for index in 0..4 {
                let zoned = matches!(pages.zone(index), Some(Zone::Dma | Zone::Dma32));
                assert!(zoned || !cfg!(CONFIG_ZONE_DMA32));
                assert!(pages.node(index) == Some(0));
            }
            assert!(pages.zone(4).is_none() && pages.node(4).is_none());
        }
        let mut pages = PageArray::<Sequence>::zeroed(4, GFP_KERNEL | __GFP_HIGHMEM)?;
        pages.write(0, &[1])?;
        assert!(Zone::Dma32.name() == "DMA32");
        Ok(())
    }

    #[test]
    fn read_from_write_to_efault() -> Result {
        crate::observe::attach_mm()?;
        let mut pages = PageArray::<Sequence>::zeroed(2, GFP_KERNEL)?;
        let user = || UserSlice::new(UserPtr::from_addr(PAGE_SIZE), 2 * PAGE_SIZE);
        assert!(pages.read_from(0, 2 * PAGE_SIZE, &mut user().reader()) == Err(EFAULT));
        assert!(pages.write_to(0, 2 * PAGE_SIZE, &mut user().writer()) == Err(EFAULT));
        assert!(pages.read_from(1, 2 * PAGE_SIZE, &mut user().reader()) == Err(EINVAL));
        assert!(pages.write_to(1, 2 * PAGE_SIZE, &mut user().writer()) == Err(EINVAL));
        Ok(())
    }
}
