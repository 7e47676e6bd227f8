// SPDX-License-Identifier: GPL-2.0

//! vmalloc.

use crate::{
    c,
    case::{
        Case,
        Side, //
    },
    kmalloc::pairs, //
};
use kalloc::Vmalloc;
use kernel::{
    alloc::allocator,
    page::PAGE_SIZE, //
};

const FIXED: &str = "fix_size_alloc_test";

macro_rules! sizes {
    ($($site:ident $pages:literal x $n:literal $name:literal)*) => {
        kalloc::sites! {
            $(
                #[doc = "Blocks of this size."]
                $site: vmalloc([u8; $pages * PAGE_SIZE]), $name;
            )*
        }

        /// By size in pages.
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

// Fewer of the large ones: no round frees so much that ranges are given up within it.
sizes! {
    Pages1 1 x 400 "bench_vmalloc_1"
    Pages4 4 x 200 "bench_vmalloc_4"
    Pages16 16 x 100 "bench_vmalloc_16"
    Pages64 64 x 40 "bench_vmalloc_64"
    Pages256 256 x 12 "bench_vmalloc_256"
    Pages1024 1024 x 4 "bench_vmalloc_1024"
}
