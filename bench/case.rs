// SPDX-License-Identifier: GPL-2.0-only

//! The cases to measure.

use crate::{
    accounting,
    aligned,
    arc,
    arena,
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

/// The implementation that a case measures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Plain C.
    C,
    /// kalloc, with counting.
    Kalloc,
    /// The calls of kalloc, without counting.
    Uncounted,
    /// The kernel crate.
    Upstream,
}

impl Side {
    /// Returns the name in the results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Side::C => "c",
            Side::Kalloc => "kalloc",
            Side::Uncounted => "uncounted",
            Side::Upstream => "upstream",
        }
    }

    /// Runs a loop that only writes a byte, compiled by this side's compiler.
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

/// A scenario on one side with one parameter.
pub(crate) struct Case {
    pub(crate) scenario: &'static str,
    pub(crate) side: Side,
    /// The parameter of the scenario: bytes, an order, or a number of pages or objects.
    pub(crate) param: usize,
    /// The number of iterations per round.
    pub(crate) n: usize,
    /// The number of blocks that an iteration allocates and frees.
    pub(crate) blocks: usize,
    /// A flag: every CPU runs the case.
    pub(crate) on_cpus: bool,
    /// The allocations that are live during the case.
    pub(crate) held: Held,
    /// The function that runs the case.
    pub(crate) run: Run,
}

/// A function that runs a case.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// A function that runs `n` iterations with the parameter, and is timed as a whole.
    Whole(fn(&Fixture, usize, usize) -> Result),
    /// A function that runs once with the parameter, and returns the nanoseconds of the relevant
    /// part.
    #[cfg_attr(LINUX_7_2, expect(dead_code))]
    Part(fn(usize) -> Result<i64>),
}

impl Case {
    /// Returns a case with a thousand iterations per round, each of which allocates one block.
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

    /// Returns a case of kalloc that runs once per round, and times a part of the run itself.
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

    /// Sets the number of iterations per round.
    pub(crate) const fn times(self, n: usize) -> Self {
        Case { n, ..self }
    }

    /// Sets the number of blocks per iteration.
    pub(crate) const fn of(self, blocks: usize) -> Self {
        Case { blocks, ..self }
    }

    /// Makes the case run on every CPU at the same time.
    pub(crate) const fn on_cpus(self) -> Self {
        Case {
            on_cpus: true,
            ..self
        }
    }

    /// Sets the allocations that are live during the case.
    pub(crate) const fn holding(self, held: Held) -> Self {
        Case { held, ..self }
    }

    /// Returns the number of blocks that a round allocates and frees.
    pub(crate) fn all_blocks(&self) -> usize {
        let cpus = if self.on_cpus { c::cpus() } else { 1 };
        self.n * self.blocks * cpus
    }

    /// Runs the part of a round that is not an allocation.
    pub(crate) fn empty(&self, fixture: &Fixture) -> Result {
        if self.on_cpus {
            c::crew(fixture, 0, 0)
        } else {
            self.side.empty_loop(fixture, self.n)
        }
    }
}

/// The groups of cases, by name.
const GROUPS: &[(&str, &[&[Case]])] = &[
    ("kmalloc", &[kmalloc::CASES]),
    ("vec", &[vec::CASES]),
    ("arc", &[arc::CASES]),
    ("arena", &[arena::CASES]),
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

/// Returns the cases of a group.
pub(crate) fn group(name: &str) -> Option<impl Iterator<Item = &'static Case>> {
    GROUPS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, cases)| cases.iter().copied().flatten())
}

/// Returns the names of all groups.
pub(crate) fn groups() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().map(|(name, _)| *name)
}
