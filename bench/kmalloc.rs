// SPDX-License-Identifier: GPL-2.0-only

//! Boxes in kmalloc memory.

use crate::{
    c,
    case::{
        Case,
        Side, //
    },
    touch::touch,
    uncounted::Uncounted, //
};
use kalloc::Kmalloc;
use kernel::{
    alloc::{
        allocator,
        Allocator,
        Box, //
    },
    prelude::*, //
};

/// Allocates and frees a box `n` times, with the same code for every allocator.
#[inline(never)]
pub(crate) fn pairs<T, A: Allocator>(n: usize) -> Result {
    for _ in 0..n {
        let mut block = Box::<T, A>::new_uninit(GFP_KERNEL)?;
        touch(&mut *block);
    }
    Ok(())
}

/// The number of live objects of the first of Lameter's tests.
const MANY: usize = 10_000;

/// Allocates many boxes and then frees them, `n` times.
#[inline(never)]
fn many<T, A: Allocator>(n: usize) -> Result {
    let mut live = KVVec::with_capacity(MANY, GFP_KERNEL)?;
    for _ in 0..n {
        for _ in 0..MANY {
            let mut block = Box::<T, A>::new_uninit(GFP_KERNEL)?;
            touch(&mut *block);
            let _ = live.push_within_capacity(block);
        }
        live.clear();
    }
    Ok(())
}

const PAIRS: &str = "2. Kmalloc: alloc/free test";
const REPEATEDLY: &str = "1. Kmalloc: Repeatedly allocate then free test";

macro_rules! sizes {
    ($($site:ident $size:literal $name:literal)*) => {
        kalloc::sites! {
            $(
                #[doc = "Boxes of this size."]
                $site: kmalloc([u8; $size]), $name, percpu;
            )*
        }

        /// The cases of boxes, by size.
        pub(crate) const CASES: &[Case] = &[
            $(
                Case::new(PAIRS, Side::C, $size, c::kmalloc),
                Case::new(PAIRS, Side::Kalloc, $size, |_, n, _| {
                    pairs::<[u8; $size], Kmalloc<$site>>(n)
                }),
                Case::new(PAIRS, Side::Uncounted, $size, |_, n, _| pairs::<[u8; $size], Uncounted>(n)),
                Case::new(PAIRS, Side::Upstream, $size, |_, n, _| {
                    pairs::<[u8; $size], allocator::Kmalloc>(n)
                }),
            )*
            $(
                Case::new(REPEATEDLY, Side::C, $size, c::kmalloc_many).times(1).of(MANY),
                Case::new(REPEATEDLY, Side::Kalloc, $size, |_, n, _| {
                    many::<[u8; $size], Kmalloc<$site>>(n)
                }).times(1).of(MANY),
                Case::new(REPEATEDLY, Side::Upstream, $size, |_, n, _| {
                    many::<[u8; $size], allocator::Kmalloc>(n)
                }).times(1).of(MANY),
            )*
        ];
    };
}

sizes! {
    Box8 8 "bench_box_8"
    Box16 16 "bench_box_16"
    Box32 32 "bench_box_32"
    Box64 64 "bench_box_64"
    Box128 128 "bench_box_128"
    Box256 256 "bench_box_256"
    Box512 512 "bench_box_512"
    Box1024 1024 "bench_box_1024"
    Box2048 2048 "bench_box_2048"
    Box4096 4096 "bench_box_4096"
    Box8192 8192 "bench_box_8192"
    Box16384 16384 "bench_box_16384"
}
