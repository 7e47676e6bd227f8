// SPDX-License-Identifier: GPL-2.0

//! What there is to measure.

use crate::{
    accounting,
    c,
    cache,
    fixture::Fixture,
    kmalloc,
    pages,
    touch::touch,
    vec,
    vmalloc, //
};
use core::mem::MaybeUninit;
use kernel::prelude::*;

/// Whose way of doing it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Plain C.
    C,
    /// kalloc, counting.
    Kalloc,
    /// What kalloc does, without counting.
    Uncounted,
    /// The kernel crate.
    Upstream,
}

impl Side {
    /// As it is written in results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Side::C => "c",
            Side::Kalloc => "kalloc",
            Side::Uncounted => "uncounted",
            Side::Upstream => "upstream",
        }
    }

    /// A loop that does nothing but touch a byte, compiled by this side's compiler.
    pub(crate) fn empty_loop(self, fixture: &Fixture, n: usize) -> Result {
        match self {
            Side::C => c::empty_loop(fixture, n, 0),
            _ => {
                rust_loop(n);
                Ok(())
            }
        }
    }
}

#[inline(never)]
fn rust_loop(n: usize) {
    let mut byte = MaybeUninit::<u8>::uninit();
    for _ in 0..n {
        touch(&mut byte);
    }
}

/// One scenario on one side with one parameter.
pub(crate) struct Case {
    pub(crate) scenario: &'static str,
    pub(crate) side: Side,
    /// Bytes, an order, pages, or how many: as the scenario has it.
    pub(crate) param: usize,
    /// How often a round does it.
    pub(crate) n: usize,
    /// How many blocks it allocates and frees each time.
    pub(crate) blocks: usize,
    /// Does it `n` times, with the parameter.
    pub(crate) run: fn(&Fixture, usize, usize) -> Result,
}

impl Case {
    /// A case that does it a thousand times a round, and allocates one block each time.
    pub(crate) const fn new(
        scenario: &'static str,
        side: Side,
        param: usize,
        run: fn(&Fixture, usize, usize) -> Result,
    ) -> Self {
        Case {
            scenario,
            side,
            param,
            n: 1000,
            blocks: 1,
            run,
        }
    }

    /// Does it `n` times a round.
    pub(crate) const fn times(self, n: usize) -> Self {
        Case { n, ..self }
    }

    /// Allocates `blocks` blocks each time.
    pub(crate) const fn of(self, blocks: usize) -> Self {
        Case { blocks, ..self }
    }
}

/// The groups by name.
const GROUPS: &[(&str, &[Case])] = &[
    ("kmalloc", kmalloc::CASES),
    ("vec", vec::CASES),
    ("cache", cache::CASES),
    ("pages", pages::CASES),
    ("vmalloc", vmalloc::CASES),
    ("accounting", accounting::CASES),
];

/// The cases of a group.
pub(crate) fn group(name: &str) -> Option<&'static [Case]> {
    GROUPS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, cases)| *cases)
}

/// The names of all groups.
pub(crate) fn groups() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().map(|(name, _)| *name)
}
