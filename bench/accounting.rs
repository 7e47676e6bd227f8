// SPDX-License-Identifier: GPL-2.0-only

//! The cost of counting: the same code with and without it.

use crate::{
    c,
    case::{
        Case,
        Side, //
    },
    fixture::Fixture,
    kmalloc::pairs,
    touch::touch_bytes,
    uncounted::Uncounted, //
};
use core::hint::black_box;
use kalloc::Kmalloc;
use kernel::{
    alloc::{
        allocator,
        Allocator,
        Vec, //
    },
    prelude::*, //
};

type Fixed = [u8; 64];

kalloc::sites! {
    /// Blocks of one size.
    Boxes: kmalloc(Fixed), "bench_fixed";
    /// Blocks of one size, counted in static per-CPU memory.
    Frequent: kmalloc(Fixed), "bench_percpu", percpu;
    /// Blocks of any size.
    Buffers: kmalloc([u8]), "bench_sized";
}

/// Allocates and frees a buffer `n` times, with a size that the compiler does not know.
#[inline(never)]
fn sized<A: Allocator>(_: &Fixture, n: usize, size: usize) -> Result {
    for _ in 0..n {
        let mut buffer = Vec::<u8, A>::with_capacity(black_box(size), GFP_KERNEL)?;
        touch_bytes(buffer.spare_capacity_mut());
    }
    Ok(())
}

/// Allocates and frees a buffer `n` times, with a size that the compiler knows.
#[inline(never)]
fn sized_const<const SIZE: usize, A: Allocator>(n: usize) -> Result {
    for _ in 0..n {
        let mut buffer = Vec::<u8, A>::with_capacity(SIZE, GFP_KERNEL)?;
        touch_bytes(buffer.spare_capacity_mut());
    }
    Ok(())
}

const FIXED: &str = "accounting, fixed size";
const PERCPU: &str = "accounting, fixed size, percpu";
const SIZED: &str = "accounting, any size";
const KNOWN: &str = "accounting, any size, known";

macro_rules! sizes {
    ($($size:literal)*) => {
        /// The cases of counting, by size.
        pub(crate) const CASES: &[Case] = &[
            Case::new(FIXED, Side::C, 64, c::kmalloc),
            Case::new(FIXED, Side::Uncounted, 64, |_, n, _| pairs::<Fixed, Uncounted>(n)),
            Case::new(FIXED, Side::Kalloc, 64, |_, n, _| pairs::<Fixed, Kmalloc<Boxes>>(n)),
            Case::new(PERCPU, Side::C, 64, c::kmalloc),
            Case::new(PERCPU, Side::Uncounted, 64, |_, n, _| pairs::<Fixed, Uncounted>(n)),
            Case::new(PERCPU, Side::Kalloc, 64, |_, n, _| pairs::<Fixed, Kmalloc<Frequent>>(n)),
            $(
                Case::new(KNOWN, Side::C, $size, c::kmalloc),
                Case::new(KNOWN, Side::Uncounted, $size, |_, n, _| {
                    sized_const::<$size, Uncounted>(n)
                }),
                Case::new(KNOWN, Side::Kalloc, $size, |_, n, _| {
                    sized_const::<$size, Kmalloc<Buffers>>(n)
                }),
                Case::new(SIZED, Side::C, $size, c::kmalloc_sized),
                Case::new(SIZED, Side::Uncounted, $size, sized::<Uncounted>),
                Case::new(SIZED, Side::Kalloc, $size, sized::<Kmalloc<Buffers>>),
                Case::new(SIZED, Side::Upstream, $size, sized::<allocator::Kmalloc>),
            )*
        ];
    };
}

sizes! { 64 96 100 4096 }
