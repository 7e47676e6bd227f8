// SPDX-License-Identifier: GPL-2.0-only

//! Objects that are freed together.

use crate::{
    c,
    case::{
        Case,
        Side, //
    },
    fixture::Fixture,
    touch::touch, //
};
use kalloc::Arena;
use kernel::prelude::*;

kalloc::sites! {
    /// The blocks of the arenas.
    Regions: pages, "bench_arena";
}

/// The number of objects of a round.
const OBJECTS: usize = 32;

/// Fills the arena with objects of 64 bytes.
#[inline(always)]
fn fill(arena: &Arena<Regions>) -> Result {
    for _ in 0..OBJECTS {
        touch(arena.alloc_uninit::<[u8; 64]>(GFP_KERNEL)?);
    }
    Ok(())
}

/// Uses one arena `n` times, which keeps its block.
#[inline(never)]
fn kept(_: &Fixture, n: usize, _: usize) -> Result {
    let mut arena = Arena::new();
    for _ in 0..n {
        fill(&arena)?;
        arena.reset();
    }
    Ok(())
}

/// Uses `n` arenas, each with a new block.
#[inline(never)]
fn fresh(_: &Fixture, n: usize, _: usize) -> Result {
    for _ in 0..n {
        fill(&Arena::new())?;
    }
    Ok(())
}

const KEPT: &str = "Arena: 32 objects, reset";
const FRESH: &str = "Arena: 32 objects, drop";

/// The cases of arenas, by the size of the objects.
pub(crate) const CASES: &[Case] = &[
    Case::new(KEPT, Side::C, 64, c::kmalloc),
    Case::new(KEPT, Side::Kalloc, 64, kept)
        .times(100)
        .of(OBJECTS),
    Case::new(FRESH, Side::Kalloc, 64, fresh)
        .times(100)
        .of(OBJECTS),
];
