// SPDX-License-Identifier: GPL-2.0

//! What an allocation and its free cost.
//!
//! A clock may tick coarsely: that of an emulated processor by the millisecond. So a batch of pairs is
//! as long as many ticks, and the quickest of several batches counts, in which least came between.

#![deny(unsafe_code)]

use kernel::{
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// Batches to take the quickest of, and after how long one is enough.
const BATCHES: usize = 5;
const ENOUGH_NS: u64 = 100_000_000;
/// A batch is at least that long, and that many ticks of the clock.
const BATCH_NS: u64 = 500_000;
const BATCH_TICKS: u64 = 16;
/// Pairs in a batch at most.
const MOST: u64 = 1 << 16;

/// Nanoseconds since a start.
pub(crate) struct Watch(Instant<Monotonic>);

impl Watch {
    pub(crate) fn start() -> Self {
        Watch(Instant::now())
    }

    pub(crate) fn ns(&self) -> u64 {
        // The clock does not run backwards.
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(0)
    }
}

/// The step of the clock: the least that is seen to pass.
pub(crate) fn tick() -> u64 {
    (0..3)
        .map(|_| {
            let watch = Watch::start();
            loop {
                let ns = watch.ns();
                if ns > 0 {
                    break ns;
                }
            }
        })
        .fold(u64::MAX, u64::min)
}

/// Returns the nanoseconds that a `pair` takes, at least 1.
///
/// # Errors
///
/// The pair's.
pub(crate) fn of(pair: impl Fn() -> Result) -> Result<u64> {
    let wanted = BATCH_NS.max(BATCH_TICKS * tick());
    let batch = |pairs| -> Result<u64> {
        let watch = Watch::start();
        for _ in 0..pairs {
            pair()?;
        }
        Ok(watch.ns())
    };
    let mut pairs = 16;
    while batch(pairs)? < wanted && pairs < MOST {
        pairs *= 2;
    }
    let watch = Watch::start();
    let mut least = batch(pairs)?;
    for _ in 1..BATCHES {
        if watch.ns() > ENOUGH_NS {
            break;
        }
        least = least.min(batch(pairs)?);
    }
    Ok((least / pairs).max(1))
}
