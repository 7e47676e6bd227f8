// SPDX-License-Identifier: GPL-2.0-only

use kernel::prelude::*;

/// A type with an alignment above its size.
#[repr(align(128))]
pub(crate) struct Aligned(u8);

kalloc::sites! {
    pub(crate) Words: kmalloc(u64), "kunit_kmalloc_word";
    pub(crate) Aligneds: kmalloc(Aligned), "kunit_kmalloc_aligned";
    pub(crate) Bytes: kmalloc([u8]), "kunit_kmalloc_bytes";
    pub(crate) Either: kvmalloc([u8]), "kunit_kvmalloc_bytes";
    pub(crate) Apart0: kmalloc([u8; 300]), "kunit_apart_0";
    pub(crate) Apart1: kmalloc([u8; 300]), "kunit_apart_1";
    pub(crate) Apart2: kmalloc([u8; 300]), "kunit_apart_2";
    pub(crate) Apart3: kmalloc([u8; 300]), "kunit_apart_3";
    pub(crate) Apart4: kmalloc([u8; 300]), "kunit_apart_4";
    pub(crate) Apart5: kmalloc([u8; 300]), "kunit_apart_5";
    pub(crate) Apart6: kvmalloc([u8; 300]), "kunit_apart_6";
    pub(crate) Apart7: kvmalloc([u8; 300]), "kunit_apart_7";
    pub(crate) Apart8: kvmalloc([u8; 300]), "kunit_apart_8";
    pub(crate) Apart9: kvmalloc([u8; 300]), "kunit_apart_9";
    pub(crate) Apart10: kvmalloc([u8; 300]), "kunit_apart_10";
    pub(crate) Apart11: kvmalloc([u8; 300]), "kunit_apart_11";
}

#[kunit_tests(kalloc_kmalloc)]
mod tests {
    use super::*;
    use crate::{
        Change,
        Dropped, //
    };
    use core::cell::Cell;
    use kalloc::{
        alloc::kmalloc::{
            block_size,
            usable_size, //
            MAX_SIZE,
            MAX_SLAB_SIZE,
        },
        mm::page_info, //
        Array,
        KBox,
        KVec,
        KVmalloc,
        Kmalloc,
    };
    use kernel::{
        alloc::NumaNode,
        page::PAGE_SIZE, //
    };

    type Buffer = Array<u8, Kmalloc<Bytes>>;
    type Either_ = Array<u8, KVmalloc<Either>>;

    #[test]
    fn kbox_new_counts() -> Result {
        let change = Change::of::<Words>();
        let word = KBox::<u64, Words>::new(7, GFP_KERNEL)?;
        assert!(*word == 7);
        assert!(change.events() == (1, 0, 0));
        assert!(change.live() == (1, 8, 0));
        drop(word);
        assert!(change.events() == (1, 1, 0));
        assert!(change.live() == (0, 0, 0));
        Ok(())
    }

    /// Returns the cache of a site's boxes. It is the same for each box, and for a vector that is
    /// resized.
    fn cache_of_boxes<A: kernel::alloc::Allocator>() -> Result<usize> {
        let first = kernel::alloc::Box::<[u8; 300], A>::new([0; 300], GFP_KERNEL)?;
        let mut second = kernel::alloc::Vec::<u8, A>::with_capacity(20, GFP_KERNEL)?;
        second.reserve(290, GFP_KERNEL)?;
        let (first, second) = (
            crate::block::cache_of(&*first),
            crate::block::cache_of(&second.spare_capacity_mut()[0]),
        );
        (first == second).then_some(first).flatten().ok_or(EIO)
    }

    #[test]
    fn kmalloc_partition_by_site() -> Result {
        if !cfg!(CONFIG_KMALLOC_PARTITION_CACHES) {
            crate::case::skip!(c"no KMALLOC_PARTITION_CACHES");
        }
        let caches = [
            cache_of_boxes::<Kmalloc<Apart0>>()?,
            cache_of_boxes::<Kmalloc<Apart1>>()?,
            cache_of_boxes::<Kmalloc<Apart2>>()?,
            cache_of_boxes::<Kmalloc<Apart3>>()?,
            cache_of_boxes::<Kmalloc<Apart4>>()?,
            cache_of_boxes::<Kmalloc<Apart5>>()?,
            cache_of_boxes::<KVmalloc<Apart6>>()?,
            cache_of_boxes::<KVmalloc<Apart7>>()?,
            cache_of_boxes::<KVmalloc<Apart8>>()?,
            cache_of_boxes::<KVmalloc<Apart9>>()?,
            cache_of_boxes::<KVmalloc<Apart10>>()?,
            cache_of_boxes::<KVmalloc<Apart11>>()?,
        ];
        // There are sixteen partitions. Six sites share one by chance once in a million boots.
        for caches in caches.chunks(6) {
            assert!(caches.iter().any(|cache| *cache != caches[0]));
        }
        Ok(())
    }

    #[test]
    fn kbox_drop_once() -> Result {
        let dropped = Cell::new(0);
        let value = KBox::<_, Bytes>::new(Dropped(&dropped), GFP_KERNEL)?;
        assert!(dropped.get() == 0);
        drop(value);
        assert!(dropped.get() == 1);
        Ok(())
    }

    #[test]
    fn kbox_type_align() -> Result {
        let change = Change::of::<Aligneds>();
        let boxes = [
            KBox::<Aligned, Aligneds>::new(Aligned(1), GFP_KERNEL)?,
            KBox::<Aligned, Aligneds>::new(Aligned(2), GFP_KERNEL)?,
        ];
        for (value, aligned) in boxes.iter().enumerate() {
            assert!(core::ptr::from_ref(&**aligned).addr() % 128 == 0);
            assert!(usize::from(aligned.0) == value + 1);
        }
        assert!(change.live() == (2, 256, 0));
        Ok(())
    }

    #[test]
    fn kbox_zero_size() -> Result {
        let change = Change::of::<Bytes>();
        // The dangling pointer has the minimum alignment of the allocator.
        let nothing = KBox::<(), Bytes>::new((), GFP_KERNEL)?;
        assert!(core::ptr::from_ref(&*nothing).addr() % 8 == 0);
        drop(nothing);
        drop(Buffer::zeroed(0, GFP_KERNEL)?);
        assert!(change.events() == (0, 0, 0));
        Ok(())
    }

    #[test]
    fn kbox_gfp_atomic() -> Result {
        assert!(*KBox::<u64, Words>::new(1, GFP_ATOMIC)? == 1);
        assert!(*KBox::<u64, Words>::zeroed(GFP_NOWAIT)? == 0);
        Ok(())
    }

    #[test]
    fn kvec_push_counts() -> Result {
        let change = Change::of::<Words>();
        let mut vec = KVec::<u64, Words>::with_capacity(4, GFP_KERNEL)?;
        for word in 0..4 {
            vec.push(word, GFP_KERNEL)?;
        }
        assert!(change.events() == (1, 0, 0));
        assert!(change.live() == (1, 32, 0));
        vec.push(4, GFP_KERNEL)?;
        assert!(change.events() == (2, 1, 0));
        assert!(vec.iter().copied().eq(0..5));
        assert!(change.live().1 == 8 * vec.capacity() as u64);
        drop(vec);
        assert!(change.events() == (2, 2, 0));
        Ok(())
    }

    #[test]
    fn array_resize_grows_and_shrinks() -> Result {
        let change = Change::of::<Bytes>();
        let mut array = Buffer::zeroed(100, GFP_KERNEL)?;
        assert!(array.iter().all(|&byte| byte == 0));
        assert!(change.live() == (1, 100, 28));
        array.fill(0xa5);

        array.resize(1000, GFP_KERNEL)?;
        assert!(array.len() == 1000);
        assert!(array[..100].iter().all(|&byte| byte == 0xa5));
        assert!(array[100..].iter().all(|&byte| byte == 0));
        assert!(change.live() == (1, 1000, 24));

        array.resize(10, GFP_KERNEL)?;
        assert!(array.len() == 10);
        assert!(array.iter().all(|&byte| byte == 0xa5));
        assert!(change.live() == (1, 10, 6));

        // Truncated bytes do not reappear.
        array.resize(16, GFP_KERNEL)?;
        assert!(array[10..].iter().all(|&byte| byte == 0));

        array.resize(0, GFP_KERNEL)?;
        assert!(change.live() == (0, 0, 0));
        array.resize(1, GFP_KERNEL)?;
        assert!(array[0] == 0);
        drop(array);
        assert!(change.live() == (0, 0, 0));
        Ok(())
    }

    #[test]
    fn array_resize_fails_unchanged() -> Result {
        let change = Change::of::<Bytes>();
        let mut array = Buffer::zeroed(64, GFP_KERNEL)?;
        array.fill(1);
        assert!(array.resize(MAX_SIZE + 1, GFP_KERNEL).is_err());
        assert!(array.resize(usize::MAX, GFP_KERNEL).is_err());
        assert!(array.len() == 64);
        assert!(array.iter().all(|&byte| byte == 1));
        assert!(change.live() == (1, 64, 0));
        // A length that overflows an address fails before the allocation.
        assert!(change.events() == (1, 0, 1));
        Ok(())
    }

    #[test]
    fn array_zeroed_size_overflow() {
        type Words_ = Array<u64, Kmalloc<Words>>;
        assert!(Words_::zeroed(usize::MAX / 4, GFP_KERNEL).is_err());
        assert!(KVec::<u64, Words>::with_capacity(usize::MAX / 4, GFP_KERNEL).is_err());
    }

    #[test]
    fn kmalloc_max_size() -> Result {
        let change = Change::of::<Bytes>();
        let flags = GFP_KERNEL | __GFP_NOWARN;
        let array = Buffer::zeroed(MAX_SIZE, flags)?;
        assert!(array.len() == MAX_SIZE);
        assert!(change.live() == (1, MAX_SIZE as u64, 0));
        assert!(Buffer::zeroed(MAX_SIZE + 1, flags).is_err());
        assert!(change.events() == (1, 0, 1));
        Ok(())
    }

    #[test]
    fn array_zeroed_on_node() -> Result {
        let array = Buffer::zeroed_on(64, GFP_KERNEL, NumaNode::new(0)?)?;
        assert!(array.len() == 64);
        Ok(())
    }

    #[test]
    fn array_zeroed_on_missing_node() -> Result {
        let change = Change::of::<Bytes>();
        let Ok(far) = NumaNode::new(5) else {
            // A kernel without NUMA has no such node.
            return Ok(());
        };
        assert!(Buffer::zeroed_on(64, GFP_KERNEL, far).is_err());
        assert!(Buffer::zeroed_on(1 << 20, GFP_KERNEL, far).is_err());
        assert!(Either_::zeroed_on(8 << 20, GFP_KERNEL, far).is_err());
        assert!(change.events() == (0, 0, 2));
        Ok(())
    }

    #[test]
    fn usable_size_of_size_classes() {
        // The minimum size class may be larger, for DMA or for memory tags.
        let least = usable_size(1);
        assert!(least == 8 || (cfg!(CONFIG_ARM64) && [16, 32, 64, 128].contains(&least)));
        assert!(usable_size(0) == 0);
        for (size, usable) in [
            (1, 8_usize),
            (8, 8),
            (9, 16),
            (64, 64),
            (65, 96),
            (96, 96),
            (97, 128),
            (129, 192),
            (193, 256),
        ] {
            let usable = usable.next_multiple_of(least);
            // If the minimum is above 32, there is no class between two powers of two.
            let power = usable.next_power_of_two();
            assert!(usable_size(size) == usable || (least > 32 && usable_size(size) == power));
        }
        for (size, usable) in [
            (MAX_SLAB_SIZE, MAX_SLAB_SIZE),
            (MAX_SLAB_SIZE + 1, 2 * MAX_SLAB_SIZE),
            (MAX_SIZE, MAX_SIZE),
            (MAX_SIZE + 1, MAX_SIZE + 1),
        ] {
            assert!(usable_size(size) == usable);
        }
    }

    #[test]
    fn block_size_is_usable_size() -> Result {
        for size in [
            1,
            8,
            9,
            65,
            129,
            193,
            MAX_SLAB_SIZE,
            MAX_SLAB_SIZE + 1,
            100_000,
        ] {
            let mut most = 0;
            // A block of KFENCE has exactly the requested size.
            for _ in 0..3 {
                let array = Buffer::zeroed(size, GFP_KERNEL)?;
                let block = block_size(&array);
                assert!(block == usable_size(size) || block == size);
                most = most.max(block);
            }
            assert!(most == usable_size(size));
        }
        assert!(block_size(&Buffer::zeroed(0, GFP_KERNEL)?) == 0);
        Ok(())
    }

    #[test]
    fn kvmalloc_resize_to_vmalloc() -> Result {
        let change = Change::of::<Either>();
        let mut array = Either_::zeroed(100, GFP_KERNEL)?;
        assert!(!page_info::is_vmalloc(&array));
        assert!(change.live() == (1, 100, 28));
        array.fill(3);

        let large = MAX_SIZE + 1;
        array.resize(large, GFP_KERNEL)?;
        assert!(page_info::is_vmalloc(&array));
        assert!(change.live() == (1, large as u64, PAGE_SIZE as u64 - 1));
        assert!(array[..100].iter().all(|&byte| byte == 3));
        assert!(array[100..].iter().all(|&byte| byte == 0));

        assert!(array.resize(usize::MAX / 2, GFP_KERNEL).is_err());
        assert!(array.resize(3 << 30, GFP_KERNEL).is_err());
        assert!(array.len() == large);
        drop(array);
        assert!(change.live() == (0, 0, 0));
        Ok(())
    }
}
