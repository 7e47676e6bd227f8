// SPDX-License-Identifier: GPL-2.0

//! Measuring one case.

use crate::{
    c,
    case::Case,
    fixture::Fixture, //
};
use kernel::{
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    },
};

/// Rounds that are timed, an odd number.
pub(crate) const ROUNDS: usize = 15;

/// Nanoseconds a block, in hundredths: instructions, where one takes a nanosecond.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) least: i64,
    pub(crate) median: i64,
}

impl Figures {
    /// Measures a case, less what its loop costs by itself.
    ///
    /// # Errors
    ///
    /// The case's own: there is not the memory for it.
    pub(crate) fn of(fixture: &Fixture, case: &Case) -> Result<Self> {
        let gross = time(|| (case.run)(fixture, case.n, case.param))?;
        let empty = time(|| case.side.empty_loop(fixture, case.n))?;
        let blocks = i64::try_from(case.n * case.blocks)?;
        let each = |ns: i64| ns * 100 / blocks;
        Ok(Figures {
            least: each(gross.least - empty.least),
            median: each(gross.median - empty.median),
        })
    }
}

/// The least and the median time of a call of `f`, in nanoseconds.
fn time(f: impl Fn() -> Result) -> Result<Figures> {
    let mut rounds = [0; ROUNDS];
    f()?;
    for round in &mut rounds {
        c::settle_vmalloc();
        let start = Instant::<Monotonic>::now();
        f()?;
        *round = start.elapsed().as_nanos();
    }
    rounds.sort_unstable();
    Ok(Figures {
        least: *rounds.first().ok_or(EINVAL)?,
        median: *rounds.get(ROUNDS / 2).ok_or(EINVAL)?,
    })
}
