// SPDX-License-Identifier: GPL-2.0-only

//! vmalloc, with the scenarios of the kernel's own test_vmalloc.

use crate::{
    c,
    case::{
        Case,
        Side, //
    },
    fixture::Fixture,
    held::Held,
    kmalloc::pairs,
    touch::{
        touch,
        touch_bytes, //
    }, //
};
use kalloc::{
    Array,
    Vmalloc, //
};
use kernel::{
    alloc::{
        allocator,
        Allocator,
        Box,
        Vec, //
    },
    page::PAGE_SIZE,
    prelude::*, //
};

const FIXED: &str = "fix_size_alloc_test";
const FULL_FIT: &str = "full_fit_alloc_test";
const BUSY: &str = "long_busy_list_alloc_test";
const NO_BLOCK: &str = "no_block_alloc_test";
const RANDOM: &str = "random_size_alloc_test";
const RESIZED: &str = "vrealloc_test";

/// The number of live blocks in the longest list of test_vmalloc.
const LONG: usize = 15_000;

type Page = [u8; PAGE_SIZE];

#[inline(never)]
fn nowait<A: Allocator>(_: &Fixture, n: usize, _: usize) -> Result {
    for _ in 0..n {
        touch(&mut *Box::<Page, A>::new_uninit(GFP_NOWAIT)?);
    }
    Ok(())
}

/// Allocates and frees 1 to 100 pages, in the same sequence on each side.
#[inline(never)]
fn random<A: Allocator>(_: &Fixture, n: usize, seed: usize) -> Result {
    // CAST: The seed is a small number.
    let mut state = seed as u32;
    for _ in 0..n {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let pages = 1 + (state >> 16) as usize % 100;
        let mut block = Vec::<u8, A>::with_capacity(pages * PAGE_SIZE, GFP_KERNEL)?;
        touch_bytes(block.spare_capacity_mut());
    }
    Ok(())
}

/// Resizes a block to one page, four, one, half a page, and one.
#[inline(never)]
fn resized(_: &Fixture, n: usize, page: usize) -> Result {
    for _ in 0..n {
        let mut block = Array::<u8, Vmalloc<Buffers>>::zeroed(page, GFP_KERNEL)?;
        for size in [4 * page, page, page / 2, page] {
            block.resize(size, GFP_KERNEL)?;
        }
    }
    Ok(())
}

macro_rules! sizes {
    ($($site:ident $pages:literal x $n:literal $name:literal)*) => {
        kalloc::sites! {
            $(
                #[doc = "Blocks of this size."]
                $site: vmalloc([u8; $pages * PAGE_SIZE]), $name, percpu;
            )*
            /// Blocks of any size.
            Buffers: vmalloc([u8]), "bench_vmalloc_any";
        }

        /// The cases of vmalloc, by size in pages.
        pub(crate) const CASES: &[Case] = &[
            $(
                Case::new(FIXED, Side::C, $pages, c::vmalloc).times($n),
                Case::new(FIXED, Side::Kalloc, $pages, |_, n, _| {
                    pairs::<[u8; $pages * PAGE_SIZE], Vmalloc<$site>>(n)
                }).times($n),
                Case::new(FIXED, Side::Upstream, $pages, |_, n, _| {
                    pairs::<[u8; $pages * PAGE_SIZE], allocator::Vmalloc>(n)
                }).times($n),
            )*
        ];
    };
}

// Large sizes have fewer iterations, so that no round frees enough to purge ranges within it.
sizes! {
    Pages1 1 x 400 "bench_vmalloc_1"
    Pages4 4 x 200 "bench_vmalloc_4"
    Pages16 16 x 100 "bench_vmalloc_16"
    Pages64 64 x 40 "bench_vmalloc_64"
    Pages256 256 x 12 "bench_vmalloc_256"
    Pages1024 1024 x 4 "bench_vmalloc_1024"
}

/// The other cases of test_vmalloc that a module can run, with test_vmalloc's parameters.
pub(crate) const OTHERS: &[Case] = &[
    Case::new(FULL_FIT, Side::C, 1, c::vmalloc)
        .times(400)
        .holding(Held::EveryOther(1000)),
    Case::new(FULL_FIT, Side::Kalloc, 1, |_, n, _| {
        pairs::<Page, Vmalloc<Pages1>>(n)
    })
    .times(400)
    .holding(Held::EveryOther(1000)),
    Case::new(BUSY, Side::C, 1, c::vmalloc)
        .times(400)
        .holding(Held::Pages(LONG)),
    Case::new(BUSY, Side::Kalloc, 1, |_, n, _| {
        pairs::<Page, Vmalloc<Pages1>>(n)
    })
    .times(400)
    .holding(Held::Pages(LONG)),
    Case::new(NO_BLOCK, Side::C, 1, c::vmalloc_nowait).times(400),
    Case::new(NO_BLOCK, Side::Kalloc, 1, nowait::<Vmalloc<Pages1>>).times(400),
    Case::new(NO_BLOCK, Side::Upstream, 1, nowait::<allocator::Vmalloc>).times(400),
    Case::new(RANDOM, Side::C, 1, c::vmalloc_random).times(40),
    Case::new(RANDOM, Side::Kalloc, 1, random::<Vmalloc<Buffers>>).times(40),
    Case::new(RANDOM, Side::Upstream, 1, random::<allocator::Vmalloc>).times(40),
    Case::new(RESIZED, Side::C, PAGE_SIZE, c::vrealloc).times(100),
    Case::new(RESIZED, Side::Kalloc, PAGE_SIZE, resized).times(100),
];
