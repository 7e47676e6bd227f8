// SPDX-License-Identifier: GPL-2.0-only

use kernel::{
    page::{
        AsPageIter,
        PAGE_SIZE, //
    },
    prelude::*, //
};

/// Two pages and one byte.
pub(crate) type Large = [u8; 2 * PAGE_SIZE + 1];

kalloc::sites! {
    pub(crate) Larges: vmalloc(Large), "kunit_vmalloc_large";
    pub(crate) Bytes: vmalloc([u8]), "kunit_vmalloc_bytes";
    pub(crate) Mapped: pages, "kunit_vmap";
}

#[kunit_tests(kalloc_vmalloc)]
mod tests {
    use super::*;
    use crate::Change;
    use kalloc::{
        alloc::vmalloc::max_size,
        mm::page_info::{
            is_vmalloc,
            is_writable,
            pfn_of,
            pfns, //
        }, //
        Array,
        Mapping,
        PageArray,
        VBox,
        VVec,
        Vmalloc,
    };

    type Buffer = Array<u8, Vmalloc<Bytes>>;

    #[test]
    fn vbox_zeroed_counts() -> Result {
        let change = Change::of::<Larges>();
        let large = VBox::<Large, Larges>::zeroed(GFP_KERNEL)?;
        assert!(large.iter().all(|&byte| byte == 0));
        assert!(core::ptr::from_ref(&*large).addr() % PAGE_SIZE == 0);
        assert!(change.live() == (1, 2 * PAGE_SIZE as u64 + 1, PAGE_SIZE as u64 - 1));
        drop(large);
        assert!(change.events() == (1, 1, 0));
        Ok(())
    }

    #[test]
    fn pfns_of_every_page() -> Result {
        let array = Buffer::zeroed(10 * PAGE_SIZE, GFP_KERNEL)?;
        for page in 0..10 {
            let pfn = pfn_of(&array, page * PAGE_SIZE)?;
            assert!((0..page).all(|other| pfn_of(&array, other * PAGE_SIZE) != Ok(pfn)));
        }
        assert!(pfns(&array)?
            .enumerate()
            .all(|(page, pfn)| pfn_of(&array, page * PAGE_SIZE) == Ok(pfn)));
        assert!(pfns(&array)?.count() == 10 && pfns(&array[..0])?.count() == 0);
        // A part that begins and ends within pages.
        let part = &array[PAGE_SIZE - 1..2 * PAGE_SIZE + 1];
        assert!(pfns(part)?.eq(pfns(&array)?.take(3)));
        assert!(
            is_vmalloc(&array) && !is_vmalloc(&[]) && !is_vmalloc(&KBox::new([1], GFP_KERNEL)?[..])
        );
        assert!(pfn_of(&array, 10 * PAGE_SIZE) == Err(EINVAL));
        Ok(())
    }

    #[test]
    fn array_resize_grows_and_shrinks() -> Result {
        let change = Change::of::<Bytes>();
        let page = PAGE_SIZE as u64;
        let mut array = Buffer::zeroed(10, GFP_KERNEL)?;
        assert!(change.live() == (1, 10, page - 10));
        array.fill(0xa5);
        array.resize(5 * PAGE_SIZE, GFP_KERNEL)?;
        assert!(array[..10].iter().all(|&byte| byte == 0xa5));
        assert!(array[10..].iter().all(|&byte| byte == 0));
        assert!(change.live() == (1, 5 * page, 0));
        array.fill(1);
        array.resize(PAGE_SIZE + 1, GFP_KERNEL)?;
        assert!(array.iter().all(|&byte| byte == 1));
        assert!(change.live() == (1, page + 1, page - 1));
        array.resize(5 * PAGE_SIZE, GFP_KERNEL)?;
        assert!(array[PAGE_SIZE + 1..].iter().all(|&byte| byte == 0));
        drop(array);
        assert!(change.live() == (0, 0, 0));
        Ok(())
    }

    #[test]
    fn array_zeroed_above_max_size() -> Result {
        let change = Change::of::<Bytes>();
        assert!(Buffer::zeroed(max_size() + PAGE_SIZE, GFP_KERNEL).is_err());
        let mut array = Buffer::zeroed(1, GFP_KERNEL)?;
        assert!(array.resize(max_size() + PAGE_SIZE, GFP_KERNEL).is_err());
        assert!(array.len() == 1);
        assert!(change.events() == (1, 0, 2));
        Ok(())
    }

    #[test]
    fn vvec_push_grows() -> Result {
        let mut vec = VVec::<u32, Bytes>::new();
        for word in 0..5000 {
            vec.push(word, GFP_KERNEL)?;
        }
        assert!(vec.iter().copied().eq(0..5000));
        Ok(())
    }

    #[test]
    fn mapping_new_maps_pages() -> Result {
        let change = Change::of::<Mapped>();
        let mut pages = PageArray::<Mapped>::zeroed(3, GFP_KERNEL)?;
        let mut mapping = Mapping::new(&mut pages)?;
        assert!(mapping.len() == 3 * PAGE_SIZE);
        assert!(mapping.iter().all(|&byte| byte == 0));
        mapping.fill(0x5a);
        let frames = [0, 1, 2].map(|page| pfn_of(&mapping, page * PAGE_SIZE).ok());
        drop(mapping);

        assert!(frames == [pages.pfn(0), pages.pfn(1), pages.pfn(2)]);
        // A second mapping shows the bytes that the first one wrote. A forgotten mapping is found
        // again.
        core::mem::forget(Mapping::new(&mut pages)?);
        let mapping = Mapping::new(&mut pages)?;
        assert!(mapping.iter().all(|&byte| byte == 0x5a));
        drop(mapping);
        assert!(change.live() == (3, 3 * PAGE_SIZE as u64, 0));
        drop(pages);
        assert!(change.live() == (0, 0, 0));
        Ok(())
    }
    #[test]
    fn mapping_read_only_write_protected() -> Result {
        if cfg!(not(any(CONFIG_X86, CONFIG_ARM64))) || cfg!(CONFIG_UML) {
            crate::case::skip!(c"the architecture does not check if a page is writable");
        }
        let mut pages = PageArray::<Mapped>::zeroed(3, GFP_KERNEL)?;
        let writable =
            |block: &[u8]| [0, PAGE_SIZE, 3 * PAGE_SIZE - 1].map(|at| is_writable(block, at));
        assert!(writable(&Mapping::new(&mut pages)?) == [Ok(true); 3]);
        assert!(writable(&Mapping::read_only(&mut pages)?) == [Ok(false); 3]);
        // And back to writable, with forgotten mappings.
        core::mem::forget(Mapping::read_only(&mut pages)?);
        let mapping = Mapping::new(&mut pages)?;
        assert!(writable(&mapping) == [Ok(true); 3]);
        core::mem::forget(mapping);
        let mapping = Mapping::read_only(&mut pages)?;
        assert!(writable(&mapping) == [Ok(false); 3]);
        assert!(is_writable(&mapping, 3 * PAGE_SIZE) == Err(EINVAL));
        Ok(())
    }

    #[test]
    fn into_pages_iterates_in_order() -> Result {
        let change = Change::of::<Bytes>();
        let mut array = Array::<u8, Vmalloc<Bytes>>::zeroed(3 * PAGE_SIZE, GFP_KERNEL)?;
        for (number, page) in (1..).zip(array.chunks_mut(PAGE_SIZE)) {
            page.fill(number);
        }
        let mut pages = array.into_pages().map_err(|_| EINVAL)?;
        let mut seen = KVec::new();
        for page in pages.page_iter() {
            seen.push(crate::raw::byte(&page, PAGE_SIZE - 1)?, GFP_KERNEL)?;
        }
        assert_eq!((&seen[..], change.events()), (&[1, 2, 3][..], (1, 0, 0)));
        drop(pages);
        // The rest of the last page would be uninitialized.
        let array = Array::<u8, Vmalloc<Bytes>>::zeroed(PAGE_SIZE + 1, GFP_KERNEL)?;
        assert_eq!(
            array.into_pages().err().map(|array| array.len()),
            Some(PAGE_SIZE + 1)
        );
        let mut none = Array::<u8, Vmalloc<Bytes>>::zeroed(0, GFP_KERNEL)?
            .into_pages()
            .map_err(|_| EINVAL)?;
        assert_eq!(none.page_iter().count(), 0);
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }
}
