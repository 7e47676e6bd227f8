// SPDX-License-Identifier: GPL-2.0-only

//! Arrays that grow.

use crate::{
    c,
    case::{
        Case,
        Side, //
    },
    fixture::Fixture, //
};
use kalloc::Kmalloc;
use kernel::{
    alloc::{
        allocator,
        Allocator,
        Vec, //
    },
    prelude::*, //
};

kalloc::sites! {
    /// The growing arrays.
    Words: kmalloc([u64]), "bench_words";
}

/// Pushes `len` words to an empty array, `n` times.
#[inline(never)]
fn push<A: Allocator>(_: &Fixture, n: usize, len: usize) -> Result {
    for _ in 0..n {
        let mut words = Vec::<u64, A>::new();
        for word in 0..len {
            words.push(word as u64, GFP_KERNEL)?;
        }
    }
    Ok(())
}

const PUSH: &str = "push";

/// The cases of growing arrays.
pub(crate) const CASES: &[Case] = &[
    Case::new(PUSH, Side::C, 1024, c::push).times(20).of(1024),
    Case::new(PUSH, Side::Kalloc, 1024, push::<Kmalloc<Words>>)
        .times(20)
        .of(1024),
    Case::new(PUSH, Side::Upstream, 1024, push::<allocator::Kmalloc>)
        .times(20)
        .of(1024),
];
