// SPDX-License-Identifier: GPL-2.0-only

//! Per-CPU memory, as in the kernel's own test_vmalloc. It has no sites: the kernel's own
//! statistics contain its bytes.

use crate::{
    c,
    case::{
        Case,
        Side, //
    }, //
};
use kalloc::sys::percpu::PerCpu;
use kernel::prelude::*;

/// Allocates `n` blocks, then frees them.
#[inline(never)]
fn many<const WORDS: usize>(n: usize) -> Result {
    let mut live = KVVec::with_capacity(n, GFP_KERNEL)?;
    for _ in 0..n {
        let _ = live.push_within_capacity(PerCpu::<[u64; WORDS]>::zeroed(GFP_KERNEL)?);
    }
    Ok(())
}

const PCPU: &str = "pcpu_alloc_test";

macro_rules! sizes {
    ($($size:literal)*) => {
        /// The cases of per-CPU memory, by size in bytes.
        pub(crate) const CASES: &[Case] = &[
            $(
                Case::new(PCPU, Side::C, $size, c::percpu),
                Case::new(PCPU, Side::Kalloc, $size, |_, n, _| many::<{ $size / 8 }>(n)),
            )*
        ];
    };
}

sizes! { 8 64 256 1024 }
