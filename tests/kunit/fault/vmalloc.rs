// SPDX-License-Identifier: GPL-2.0-only

use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// Two pages and one byte.
pub(crate) type Large = [u8; 2 * PAGE_SIZE + 1];

kalloc::sites! {
    pub(crate) Bytes: vmalloc([u8]), "kunit_fault_vmalloc";
    pub(crate) Mapped: pages, "kunit_fault_vmap";
}

#[kunit_tests(kalloc_fault_vmalloc)]
mod tests {
    use super::*;
    use crate::fault::{
        self,
        refuse_each,
        Counts, //
    };
    use kalloc::{
        mm::vmap::ReadOnly, //
        Array,
        Mapping,
        PageArray,
        VBox,
        VVec,
        Vmalloc,
    };
    use kernel::{
        alloc::{
            AllocError,
            Flags,
            NumaNode, //
        },
        sync::rcu, //
    };

    /// The least number of allocations of an area for pages: its `vm_struct`. Its `vmap_area` often
    /// comes from a pool of `mm/vmalloc.c` that an earlier area has filled.
    const AREA: u32 = 1;
    /// The same for a block, which also needs a list of its pages.
    const BLOCK: u32 = AREA + 1;

    type Buffer = Array<u8, Vmalloc<Bytes>>;

    /// Flags that may sleep, without a warning in the log.
    fn flags() -> Flags {
        GFP_KERNEL | __GFP_NOWARN
    }

    #[test]
    fn vbox_zeroed() -> Result {
        fault::needed();
        for (flags, counts) in [
            (GFP_KERNEL, Counts::NoMemory),
            (GFP_ATOMIC, Counts::NoWait),
            (GFP_NOWAIT, Counts::NoWait),
        ] {
            let faults = refuse_each::<Bytes, _, _>(
                counts,
                || Ok(()),
                |()| {
                    let large = VBox::<Large, Bytes>::zeroed(flags | __GFP_NOWARN)?;
                    Ok::<_, AllocError>(large.iter().all(|&byte| byte == 0))
                },
                |()| true,
            )?;
            assert!(faults.are_at_least(BLOCK));
        }
        Ok(())
    }

    #[test]
    fn vbox_zeroed_in_atomic_context() -> Result {
        fault::needed();
        let faults = refuse_each::<Bytes, _, _>(
            Counts::NoWait,
            || Ok(()),
            |()| {
                let _guard = rcu::read_lock();
                let large = VBox::<Large, Bytes>::zeroed(GFP_NOWAIT | __GFP_NOWARN)?;
                Ok::<_, AllocError>(large.iter().all(|&byte| byte == 0))
            },
            |()| true,
        )?;
        assert!(faults.are_at_least(BLOCK));
        Ok(())
    }

    #[test]
    fn array_resize_keeps_contents() -> Result {
        fault::needed();
        for (from, to) in [
            (1, 5 * PAGE_SIZE),
            (PAGE_SIZE + 1, 300 * PAGE_SIZE),
            (5 * PAGE_SIZE, 100),
            (0, 3),
        ] {
            let kept = from.min(to);
            let faults = refuse_each::<Bytes, _, _>(
                Counts::NoMemory,
                || {
                    let mut array = Buffer::zeroed(from, GFP_KERNEL)?;
                    array.fill(9);
                    Ok(array)
                },
                |array| {
                    array.resize(to, flags())?;
                    Ok::<_, AllocError>(
                        array.len() == to
                            && array[..kept].iter().all(|&byte| byte == 9)
                            && array[kept..].iter().all(|&byte| byte == 0),
                    )
                },
                |array| array.len() == from && array.iter().all(|&byte| byte == 9),
            )?;
            // Shrinking needs no memory.
            assert!((faults.failed > 0) == (to > from) && faults.needs_memory == (to > from));
        }
        Ok(())
    }

    #[test]
    fn array_resize_in_atomic_context() -> Result {
        fault::needed();
        let faults = refuse_each::<Bytes, _, _>(
            Counts::NoWait,
            || {
                let mut array = Buffer::zeroed(PAGE_SIZE, GFP_KERNEL)?;
                array.fill(7);
                Ok(array)
            },
            |array| {
                let _guard = rcu::read_lock();
                array.resize(3 * PAGE_SIZE, GFP_NOWAIT | __GFP_NOWARN)?;
                Ok::<_, AllocError>(
                    array[..PAGE_SIZE].iter().all(|&byte| byte == 7)
                        && array[PAGE_SIZE..].iter().all(|&byte| byte == 0),
                )
            },
            |array| array.len() == PAGE_SIZE && array.iter().all(|&byte| byte == 7),
        )?;
        assert!(faults.are_at_least(BLOCK));
        Ok(())
    }

    #[test]
    fn array_zeroed_on_node() -> Result {
        fault::needed();
        let faults = refuse_each::<Bytes, _, _>(
            Counts::NoMemory,
            || NumaNode::new(0),
            |&mut node| Ok::<_, AllocError>(Buffer::zeroed_on(3, flags(), node)?[..] == [0; 3]),
            |_| true,
        )?;
        assert!(faults.are_at_least(BLOCK));
        Ok(())
    }

    #[test]
    fn vvec_reserve_keeps_contents() -> Result {
        fault::needed();
        let faults = refuse_each::<Bytes, _, _>(
            Counts::NoMemory,
            || {
                let mut vec = VVec::<u64, Bytes>::with_capacity(3, GFP_KERNEL)?;
                vec.extend_from_slice(&[1, 2, 3], GFP_KERNEL)?;
                Ok(vec)
            },
            |vec| {
                vec.reserve(5000, flags())?;
                Ok::<_, AllocError>(vec.iter().copied().eq(1..4))
            },
            |vec| vec.capacity() == 3 && vec.iter().copied().eq(1..4),
        )?;
        assert!(faults.are_at_least(BLOCK));
        Ok(())
    }

    #[test]
    fn mapping_new_keeps_pages() -> Result {
        fault::needed();
        let numbered = || {
            let mut pages = PageArray::<Mapped>::zeroed(3, GFP_KERNEL)?;
            for page in 0..3 {
                pages.write(page * PAGE_SIZE, &[page as u8 + 1])?;
            }
            Ok(pages)
        };
        let intact = |pages: &PageArray<Mapped>| {
            (0..3).all(|page| {
                let mut byte = [0];
                pages.read(page * PAGE_SIZE, &mut byte).is_ok() && byte[0] == page as u8 + 1
            })
        };
        let written = refuse_each::<Mapped, _, _>(
            Counts::Not,
            numbered,
            |pages| {
                let mut mapping = Mapping::new(pages)?;
                let right = mapping[PAGE_SIZE] == 2 && mapping[2 * PAGE_SIZE] == 3;
                mapping.fill(9);
                Ok::<_, AllocError>(right && mapping.iter().all(|&byte| byte == 9))
            },
            intact,
        )?;
        let read = refuse_each::<Mapped, _, _>(
            Counts::Not,
            numbered,
            |pages| {
                let mapping = Mapping::<_, ReadOnly>::read_only(pages)?;
                Ok::<_, AllocError>(mapping[PAGE_SIZE] == 2 && mapping[2 * PAGE_SIZE] == 3)
            },
            intact,
        )?;
        assert!(written.failed >= AREA && written.needs_memory);
        assert!(read.failed >= AREA && read.needs_memory);
        Ok(())
    }

    #[test]
    fn mapping_change_protection() -> Result {
        fault::needed();
        // The forgotten mapping is unmapped first. The pages keep their contents and can be mapped
        // again.
        let faults = refuse_each::<Mapped, _, _>(
            Counts::Not,
            || {
                let mut pages = PageArray::<Mapped>::zeroed(2, GFP_KERNEL)?;
                let mut mapping = Mapping::new(&mut pages)?;
                mapping.fill(4);
                core::mem::forget(mapping);
                Ok(pages)
            },
            |pages| {
                let first = Mapping::<_, ReadOnly>::read_only(pages).map(|mapping| mapping[0]);
                let again = Mapping::<_, ReadOnly>::read_only(pages)?[PAGE_SIZE] == 4;
                Ok::<_, AllocError>(first? == 4 && again)
            },
            |pages| pages.len() == 2,
        )?;
        assert!(faults.are_at_least(AREA));
        Ok(())
    }
}
