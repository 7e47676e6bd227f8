// SPDX-License-Identifier: GPL-2.0-only

use kernel::prelude::*;

kalloc::sites! {
    pub(crate) Small: pages, "kunit_arena_small";
    pub(crate) Large: pages, "kunit_arena_large";
    pub(crate) Dropped: pages, "kunit_arena_drop";
}

#[kunit_tests(kalloc_arena)]
mod tests {
    use super::*;
    use kalloc::{
        page::PageSite,
        Arena,
        Order,
        Tag, //
    };
    use kernel::{
        page::PAGE_SIZE,
        sync::rcu, //
    };

    /// An object with an alignment above the header's.
    #[repr(align(256))]
    #[derive(Clone, Copy)]
    struct Aligned(u8);

    fn live<S: PageSite>() -> u64 {
        S::site().totals().live()
    }

    #[test]
    fn alloc_types_and_alignments() -> Result {
        let arena = Arena::<Small>::new();
        let mut bytes = KVec::new();
        let mut words = KVec::new();
        let mut aligned = KVec::new();
        for i in 0..300 {
            bytes.push(&*arena.alloc(i as u8, GFP_KERNEL)?, GFP_KERNEL)?;
            words.push(arena.alloc([i, !i, i * 3], GFP_KERNEL)?, GFP_KERNEL)?;
            aligned.push(arena.alloc(Aligned(i as u8), GFP_KERNEL)?, GFP_KERNEL)?;
        }
        for word in words.iter_mut() {
            word[2] += 1;
        }
        for i in 0..300u64 {
            let index = i as usize;
            assert!(*bytes[index] == i as u8 && aligned[index].0 == i as u8);
            assert!(*words[index] == [i, !i, i * 3 + 1]);
            assert!(core::ptr::from_ref(&*aligned[index]).addr() % 256 == 0);
            assert!(core::ptr::from_ref(&*words[index]).addr() % 8 == 0);
        }
        Ok(())
    }

    #[test]
    fn alloc_fills_block() -> Result {
        let before = live::<Small>();
        let arena = Arena::<Small>::new();
        assert!(live::<Small>() == before);
        // The size divides the capacity.
        const NUMBER: usize = Arena::<Small>::CAPACITY / 16;
        for _ in 0..NUMBER {
            arena.alloc([1u64; 2], GFP_KERNEL)?;
        }
        assert!(NUMBER * 16 == Arena::<Small>::CAPACITY && live::<Small>() == before + 1);
        arena.alloc(1u8, GFP_KERNEL)?;
        assert!(live::<Small>() == before + 2);
        drop(arena);
        assert!(live::<Small>() == before);
        Ok(())
    }

    #[test]
    fn alloc_whole_capacity() -> Result {
        let before = live::<Large>();
        let arena = Arena::<Large, 2>::new();
        let bytes = Large::site().totals().live_bytes;
        let sevens = KVec::from_elem(7u8, Arena::<Large, 2>::CAPACITY, GFP_KERNEL)?;
        let all = arena.alloc_slice_copy(&sevens, GFP_KERNEL)?;
        assert!(Large::site().totals().live_bytes == bytes + 4 * PAGE_SIZE as u64);
        arena.alloc(0u8, GFP_KERNEL)?;
        assert!(all.iter().all(|&byte| byte == 7) && live::<Large>() == before + 2);
        Ok(())
    }

    #[test]
    fn alloc_slice_copy_length() -> Result {
        let arena = Arena::<Small>::new();
        let invalid = || Small::site().totals().failures.invalid;
        let (before, blocks) = (invalid(), live::<Small>());
        let long = KVec::from_elem(5u8, Arena::<Small>::CAPACITY + 1, GFP_KERNEL)?;
        assert!(arena.alloc_slice_copy(&long, GFP_KERNEL).is_err());
        assert!(invalid() == before + 1 && live::<Small>() == blocks);
        assert!(arena.alloc_slice_copy(&long[1..], GFP_KERNEL)? == &long[1..]);
        // A slice with an alignment above the header's may need a gap of as many bytes.
        let aligned = [Aligned(9); (PAGE_SIZE - 256) / 256];
        let copy = arena.alloc_slice_copy(&aligned[1..], GFP_KERNEL)?;
        assert!(copy.iter().all(|object| object.0 == 9) && live::<Small>() == blocks + 2);
        Ok(())
    }

    #[test]
    fn alloc_nothing() -> Result {
        let before = live::<Small>();
        let arena = Arena::<Small>::new();
        arena.alloc((), GFP_KERNEL)?;
        assert!(arena.alloc_slice_copy::<u64>(&[], GFP_KERNEL)?.is_empty());
        assert!(live::<Small>() == before);
        Ok(())
    }

    #[test]
    fn reset_keeps_one_block() -> Result {
        let before = live::<Small>();
        let mut arena = Arena::<Small>::new();
        arena.reset();
        for _ in 0..3 {
            for i in 0..1000u64 {
                arena.alloc([i; 2], GFP_KERNEL)?;
            }
            assert!(live::<Small>() == before + 4);
            let last =
                core::ptr::from_ref(arena.alloc(0u64, GFP_KERNEL)?).addr() & !(PAGE_SIZE - 1);
            arena.reset();
            assert!(live::<Small>() == before + 1);
            // All bytes of that block are available again.
            let all = arena.alloc_uninit::<[u8; Arena::<Small>::CAPACITY]>(GFP_KERNEL)?;
            assert!(core::ptr::from_ref(all).addr() & !(PAGE_SIZE - 1) == last);
            assert!(live::<Small>() == before + 1);
            arena.reset();
        }
        drop(arena);
        assert!(live::<Small>() == before);
        Ok(())
    }

    #[test]
    fn drop_atomic() -> Result {
        // Far more memory than this kernel has free if nothing is freed.
        for _ in 0..200 {
            let arena = Arena::<Dropped, 3>::new();
            for _ in 0..64 {
                arena.alloc_uninit::<[u8; Order::of::<3>().bytes() / 2 + 1]>(GFP_KERNEL)?;
            }
            assert!(live::<Dropped>() == 64);
            let guard = rcu::read_lock();
            drop(arena);
            assert!(live::<Dropped>() == 0);
            drop(guard);
        }
        Ok(())
    }

    #[test]
    fn arena_moved_to_another_thread() -> Result {
        fn is_send<T: Send>(_: &T) {}
        let arena = Arena::<Small>::default();
        is_send(&arena);
        Ok(())
    }
}
