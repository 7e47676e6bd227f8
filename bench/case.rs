// SPDX-License-Identifier: GPL-2.0

//! What there is to measure.

use crate::{
    accounting,
    aligned,
    c,
    cache,
    concurrent,
    drops,
    fixture::Fixture,
    held::Held,
    kmalloc,
    live,
    mapping,
    pages,
    percpu,
    ring,
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
    /// Whether every CPU does it.
    pub(crate) on_cpus: bool,
    /// What is there all the time.
    pub(crate) held: Held,
    /// How it is done and timed.
    pub(crate) run: Run,
}

/// How a case is done.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// Does it `n` times, with the parameter; all of it counts.
    Whole(fn(&Fixture, usize, usize) -> Result),
    /// Does it once, with the parameter, and says how many nanoseconds the part took that counts.
    Part(fn(usize) -> Result<i64>),
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
            on_cpus: false,
            held: Held::NOTHING,
            run: Run::Whole(run),
        }
    }

    /// A case of kalloc's that is done once a round, and of which it times a part itself.
    pub(crate) const fn timed(
        scenario: &'static str,
        param: usize,
        run: fn(usize) -> Result<i64>,
    ) -> Self {
        Case {
            scenario,
            side: Side::Kalloc,
            param,
            n: 1,
            blocks: 1,
            on_cpus: false,
            held: Held::NOTHING,
            run: Run::Part(run),
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

    /// Does it on every CPU at the same time.
    pub(crate) const fn on_cpus(self) -> Self {
        Case {
            on_cpus: true,
            ..self
        }
    }

    /// Does it while this is there.
    pub(crate) const fn holding(self, held: Held) -> Self {
        Case { held, ..self }
    }

    /// How many blocks a round allocates and frees.
    pub(crate) fn all_blocks(&self) -> usize {
        let cpus = if self.on_cpus { c::cpus() } else { 1 };
        self.n * self.blocks * cpus
    }

    /// What of a round is no allocation.
    pub(crate) fn empty(&self, fixture: &Fixture) -> Result {
        if self.on_cpus {
            c::crew(fixture, 0, 0)
        } else {
            self.side.empty_loop(fixture, self.n)
        }
    }
}

/// The groups by name.
const GROUPS: &[(&str, &[&[Case]])] = &[
    ("kmalloc", &[kmalloc::CASES]),
    ("vec", &[vec::CASES]),
    ("cache", &[cache::CASES]),
    ("pages", &[pages::CASES]),
    (
        "vmalloc",
        &[
            vmalloc::CASES,
            vmalloc::OTHERS,
            aligned::CASES,
            mapping::CASES,
            percpu::CASES,
        ],
    ),
    ("accounting", &[accounting::CASES]),
    ("live", &[live::CASES]),
    ("drops", &[drops::CASES]),
    ("pairs", &[live::PAIRS]),
    ("concurrent", concurrent::BOXES),
    ("concurrent-pages", concurrent::PAGES),
    ("concurrent-ring", &[ring::CASES]),
];

/// The cases of a group.
pub(crate) fn group(name: &str) -> Option<impl Iterator<Item = &'static Case>> {
    GROUPS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, cases)| cases.iter().copied().flatten())
}

/// The names of all groups.
pub(crate) fn groups() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().map(|(name, _)| *name)
}
