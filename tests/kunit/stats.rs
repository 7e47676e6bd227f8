// SPDX-License-Identifier: GPL-2.0-only

kalloc::sites! {
    Bytes: kmalloc([u8]), "kunit_stats_byte";
    Triples: kmalloc([u8; 24]), "kunit_stats_triple";
    Either_: kvmalloc([u8; 70000]), "kunit_stats_either";
    Mapped: vmalloc([u8]), "kunit_stats_mapped";
    Blocks: pages, "kunit_stats_block";
}

use kernel::prelude::*;

#[kunit_tests(kalloc_stats)]
mod tests {
    use super::*;
    use crate::Change;
    use kalloc::{
        accounting::stats::{
            Failures,
            Sizes,
            Totals, //
        },
        alloc::kmalloc,
        mm::page_info, //
        Array,
        Gfp,
        KBox,
        KVBox,
        Kmalloc,
        Order,
        Pages,
        Tag,
        Vmalloc,
    };
    use kernel::{
        alloc::NumaNode,
        page::PAGE_SIZE, //
    };

    type Buffer = Array<u8, Kmalloc<Bytes>>;

    /// Returns the histogram entry of a site for sizes up to `up_to`.
    fn sizes<S: Tag>(up_to: u64) -> Sizes {
        let site = S::site();
        let found = site.sizes().find(|sizes| sizes.up_to == up_to);
        found.unwrap_or(Sizes {
            up_to,
            ..Default::default()
        })
    }

    #[test]
    fn live_slack_of_size_classes() -> Result {
        let change = Change::of::<Bytes>();
        // Every size up to 255, then the boundaries of the larger classes.
        for size in (1..=kmalloc::MAX_SLAB_SIZE + 1).filter(|size| *size < 256 || size % 256 < 2) {
            let block = Buffer::zeroed(size, GFP_KERNEL)?;
            let slack = (kmalloc::usable_size(size) - size) as u64;
            assert!(change.live() == (1, size as u64, slack));
            drop(block);
        }
        assert!(change.live() == (0, 0, 0));
        Ok(())
    }

    #[test]
    fn live_slack_of_kbox() -> Result {
        let change = Change::of::<Triples>();
        let triple = KBox::<[u8; 24], Triples>::new([0; 24], GFP_KERNEL)?;
        assert!(change.live() == (1, 24, 8));
        drop(triple);
        assert!(change.live() == (0, 0, 0));
        Ok(())
    }

    #[test]
    fn live_slack_of_kvbox() -> Result {
        let change = Change::of::<Either_>();
        let block = KVBox::<[u8; 70000], Either_>::zeroed(GFP_KERNEL)?;
        let takes = if page_info::is_vmalloc(&*block) {
            18 * PAGE_SIZE
        } else {
            128 << 10
        };
        assert!(change.live() == (1, 70000, takes as u64 - 70000));
        drop(block);
        assert!(change.live() == (0, 0, 0));
        Ok(())
    }

    #[test]
    fn size_histogram_powers_of_two() -> Result {
        let before = [64, 128, 256].map(sizes::<Bytes>);
        let blocks = [64, 65, 96, 97, 128, 129].map(|size| Buffer::zeroed(size, GFP_KERNEL));
        let after = [64, 128, 256].map(sizes::<Bytes>);
        for ((before, after), count) in before.iter().zip(&after).zip([1, 4, 1]) {
            assert!(after.allocs == before.allocs + count && after.frees == before.frees);
        }
        drop(blocks);
        for (before, after) in after.iter().zip([64, 128, 256].map(sizes::<Bytes>)) {
            assert!(after.allocs == before.allocs && after.frees == after.allocs);
        }
        // A site with an object size has no histogram.
        assert!(Triples::site().sizes().next().is_none());
        Ok(())
    }

    #[test]
    fn size_histogram_large_sizes() -> Result {
        let areas = || sizes::<Mapped>(16 << 20);
        let before = areas();
        let mapped = Array::<u8, Vmalloc<Mapped>>::zeroed((8 << 20) + 1, GFP_KERNEL)?;
        assert!(areas().allocs == before.allocs + 1);
        drop(mapped);
        assert!(areas().frees == before.frees + 1);
        let blocks = || sizes::<Blocks>(8 * PAGE_SIZE as u64);
        let before = blocks();
        let block = Pages::<Blocks>::zeroed(Order::new(3)?, GFP_KERNEL)?;
        assert!(blocks().allocs == before.allocs + 1);
        drop(block);
        Ok(())
    }

    #[test]
    fn totals_do_not_overflow() {
        let most = u64::MAX;
        let totals = Totals {
            frees: 1,
            live_bytes: 1,
            ..Default::default()
        };
        assert!((totals.live(), totals.live_slack()) == (0, 0));
        let totals = Totals {
            allocs: most,
            live_allocated: most,
            failures: Failures {
                no_memory: most,
                no_wait: most,
                invalid: most,
            },
            ..Default::default()
        };
        assert!((totals.live(), totals.live_slack()) == (most, most));
        assert!(totals.failures.total() == most);
    }

    #[test]
    fn failures_by_reason() -> Result {
        let failures = || Bytes::site().totals().failures;
        let before = failures();
        // A size above kmalloc's limit.
        assert!(Buffer::zeroed(kmalloc::MAX_SIZE + 1, GFP_KERNEL).is_err());
        assert!(
            failures()
                == Failures {
                    invalid: before.invalid + 1,
                    ..before
                }
        );

        // A kernel without NUMA has no such node.
        if let Ok(far) = NumaNode::new(5) {
            assert!(Buffer::zeroed_on(64, GFP_KERNEL, far).is_err());
            assert!(failures().invalid == before.invalid + 2);
        }

        // Allocates all memory in blocks of 4 MiB.
        for (flags, waits) in [(Gfp::KERNEL | Gfp::NORETRY, true), (Gfp::NOWAIT, false)] {
            let before = Blocks::site().totals().failures;
            let mut blocks = KVec::new();
            while let Ok(block) = Pages::<Blocks, _>::uninit(Order::MAX, flags | Gfp::NOWARN) {
                blocks.push(block, GFP_KERNEL)?;
            }
            let after = Blocks::site().totals().failures;
            assert!(after.no_memory == before.no_memory + u64::from(waits));
            assert!(after.no_wait == before.no_wait + u64::from(!waits));
            assert!(after.invalid == before.invalid);
        }
        Ok(())
    }
}
