// SPDX-License-Identifier: GPL-2.0-only

//! The cost of an allocation and its free.
//!
//! A clock may have a coarse step: milliseconds on an emulated processor. A batch of pairs
//! therefore takes many ticks, and the fastest of several batches counts, because it was disturbed
//! least.

#![deny(unsafe_code)]

use kernel::{
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// The number of batches of which the fastest counts, and a time after which one batch is enough.
const BATCHES: usize = 5;
const ENOUGH_NS: u64 = 100_000_000;
/// The minimum length of a batch, in nanoseconds and in ticks of the clock.
const BATCH_NS: u64 = 500_000;
const BATCH_TICKS: u64 = 16;
/// The maximum number of pairs in a batch.
const MOST: u64 = 1 << 16;

/// A stopwatch that counts nanoseconds since its start.
pub(crate) struct Watch(Instant<Monotonic>);

impl Watch {
    pub(crate) fn start() -> Self {
        Watch(Instant::now())
    }

    pub(crate) fn ns(&self) -> u64 {
        // The clock is monotonic.
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(0)
    }
}

/// Returns the step of the clock: the smallest difference between two readings.
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
/// The error of the pair.
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
