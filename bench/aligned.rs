// SPDX-License-Identifier: GPL-2.0-only

//! vmalloc with an alignment, as in the kernel's own test_vmalloc.

use crate::{
    c,
    case::{
        Case,
        Side, //
    },
    fixture::Fixture,
    kmalloc::pairs,
    touch::touch, //
};
use core::mem::MaybeUninit;
use kalloc::Vmalloc;
use kernel::{
    alloc::{
        allocator,
        Allocator,
        Vec, //
    },
    page::PAGE_SIZE,
    prelude::*, //
};

const FIXED: &str = "fix_align_alloc_test";
const RANDOM: &str = "random_size_align_alloc_test";

/// Twice the alignment of the stacks of the smallest kernel.
const STACKS: usize = 32 << 10;

/// A block that is aligned to its size.
#[repr(align(0x8000))]
struct Aligned(#[allow(dead_code)] [u8; STACKS]);

kalloc::sites! {
    /// Blocks of one size.
    Fixed: vmalloc(Aligned), "bench_aligned", percpu;
    /// Blocks of any size.
    Random: vmalloc([u8]), "bench_aligned_any";
}

/// Allocates and frees a block of at least `size` bytes, with the alignment of `T`.
#[inline(always)]
fn pair<T, A: Allocator>(size: usize) -> Result {
    let count = size.div_ceil(size_of::<T>());
    let mut block = Vec::<MaybeUninit<T>, A>::with_capacity(count, GFP_KERNEL)?;
    if let Some(first) = block.spare_capacity_mut().first_mut() {
        touch(first);
    }
    Ok(())
}

/// Defines the loop for up to 10 pages, aligned to up to 4 MiB, in the same sequence on each side.
macro_rules! random {
    ($($shift:literal $align:literal)*) => {
        #[inline(never)]
        fn random<A: Allocator>(_: &Fixture, n: usize, seed: usize) -> Result {
            // CAST: The seed is a small number.
            let mut state = seed as u32;
            for _ in 0..n {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let random = (state >> 16) as usize;
                let size = (random % 10 + 1) * PAGE_SIZE;
                match random % 23 {
                    $($shift => {
                        #[repr(align($align))]
                        struct Unit(#[allow(dead_code)] [u8; 1 << $shift]);
                        pair::<Unit, A>(size)?;
                    })*
                    _ => pair::<[u8; PAGE_SIZE], A>(size)?,
                }
            }
            Ok(())
        }
    };
}

random! {
    13 0x2000
    14 0x4000
    15 0x8000
    16 0x10000
    17 0x20000
    18 0x40000
    19 0x80000
    20 0x100000
    21 0x200000
    22 0x400000
}

/// The cases of vmalloc with an alignment.
pub(crate) const CASES: &[Case] = &[
    Case::new(FIXED, Side::C, STACKS, c::vmalloc_aligned).times(100),
    Case::new(FIXED, Side::Kalloc, STACKS, |_, n, _| {
        pairs::<Aligned, Vmalloc<Fixed>>(n)
    })
    .times(100),
    Case::new(FIXED, Side::Upstream, STACKS, |_, n, _| {
        pairs::<Aligned, allocator::Vmalloc>(n)
    })
    .times(100),
    Case::new(RANDOM, Side::C, 1, c::vmalloc_random_aligned).times(20),
    Case::new(RANDOM, Side::Kalloc, 1, random::<Vmalloc<Random>>).times(20),
    Case::new(RANDOM, Side::Upstream, 1, random::<allocator::Vmalloc>).times(20),
];
