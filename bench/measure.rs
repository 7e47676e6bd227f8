// SPDX-License-Identifier: GPL-2.0-only

//! The measurement of one case.

use crate::{
    c,
    case::{
        Case,
        Run, //
    },
    fixture::Fixture, //
};
use kernel::{
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    },
};

/// The number of timed rounds, which is odd.
pub(crate) const ROUNDS: usize = 15;

/// The cost of a block, in hundredths.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    /// Nanoseconds; these are instructions where an instruction takes a nanosecond.
    pub(crate) ns: Spread,
    /// Cycles of the processor's clock.
    pub(crate) cycles: Spread,
}

/// The spread of a value over all rounds.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) least: i64,
    pub(crate) median: i64,
    pub(crate) most: i64,
}

impl Figures {
    /// Measures a case, and subtracts the cost of an empty loop.
    ///
    /// # Errors
    ///
    /// The case's error: there is not enough memory.
    pub(crate) fn of(fixture: &Fixture, case: &Case) -> Result<Self> {
        let _live = case.held.allocate()?;
        let run = match case.run {
            Run::Whole(run) => run,
            Run::Part(run) => return Self::of_part(|| run(case.param)),
        };
        let (gross_ns, gross_cycles) = time(|| run(fixture, case.n, case.param))?;
        let (empty_ns, empty_cycles) = time(|| case.empty(fixture))?;
        let blocks = i64::try_from(case.all_blocks())?;
        Ok(Figures {
            ns: gross_ns.less(empty_ns).each(blocks),
            cycles: gross_cycles.less(empty_cycles).each(blocks),
        })
    }

    /// Measures a function that times itself, in nanoseconds only.
    fn of_part(run: impl Fn() -> Result<i64>) -> Result<Self> {
        let mut ns = [0; ROUNDS];
        run()?;
        for ns in &mut ns {
            *ns = run()?;
        }
        Ok(Figures {
            ns: Spread::of(ns).each(1),
            cycles: Spread::of([0; ROUNDS]),
        })
    }
}

impl Spread {
    /// Returns the spread of the values of `ROUNDS` rounds.
    fn of(mut rounds: [i64; ROUNDS]) -> Self {
        rounds.sort_unstable();
        let [least, .., most] = rounds;
        Spread {
            least,
            // PANICS: Half of the length is inside the array.
            median: rounds[ROUNDS / 2],
            most,
        }
    }

    /// Subtracts the cost of the loop, which varies less.
    fn less(self, empty: Spread) -> Self {
        Spread {
            least: self.least - empty.least,
            median: self.median - empty.median,
            most: self.most - empty.median,
        }
    }

    /// Divides by the number of blocks, in hundredths.
    fn each(self, blocks: i64) -> Self {
        let each = |all: i64| (all * 100).checked_div(blocks).unwrap_or(all);
        Spread {
            least: each(self.least),
            median: each(self.median),
            most: each(self.most),
        }
    }
}

/// Measures the time of a call of `f`, in nanoseconds and in cycles.
fn time(f: impl Fn() -> Result) -> Result<(Spread, Spread)> {
    let mut ns = [0; ROUNDS];
    let mut cycles = [0; ROUNDS];
    f()?;
    for (ns, cycles) in ns.iter_mut().zip(&mut cycles) {
        c::settle_vmalloc();
        let from = c::cycles();
        let start = Instant::<Monotonic>::now();
        mark::<1>();
        f()?;
        mark::<0>();
        *ns = start.elapsed().as_nanos();
        *cycles = i64::try_from(c::cycles().wrapping_sub(from))?;
    }
    Ok((Spread::of(ns), Spread::of(cycles)))
}

/// Marks the start of a round, or its end, for the plugin of QEMU in `scripts/kalloc_dev/bench/plugin.c`.
#[inline(always)]
fn mark<const STARTS: u8>() {
    #[cfg(CONFIG_X86_64)]
    // SAFETY: The instruction is a `nop` with a number, `0x0040414b` or `0x0140414b`.
    unsafe {
        core::arch::asm!(
            ".byte 0x0f, 0x1f, 0x80, 0x4b, 0x41, 0x40, {starts}",
            starts = const STARTS,
            options(nostack, preserves_flags),
        )
    };
}
