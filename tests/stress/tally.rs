// SPDX-License-Identifier: GPL-2.0-only

//! The tallies of the workers, and their comparison with the counters of the sites.

use super::held::{
    Cost,
    Held,
    Kind,
    SITES, //
};
use kernel::{
    alloc::AllocError,
    prelude::*,
    sync::atomic::{
        ordering,
        Atomic, //
    }, //
};

/// The number of sites.
pub(crate) const COUNT: usize = 10;

const _: () = assert!(SITES.len() == COUNT);

/// The tallied numbers of a site: allocations, frees, failures, live bytes, the bytes that those
/// take, and the blocks whose footprint differs from the counted bytes.
const NAMES: [&str; 6] = [
    "allocs",
    "frees",
    "failures",
    "live_bytes",
    "live_allocated",
    "misjudged",
];

/// The tally of one worker.
#[derive(Default)]
pub(crate) struct Tally {
    steps: u64,
    sites: [[i64; NAMES.len()]; COUNT],
}

impl Tally {
    /// Tallies an operation, whatever its result.
    pub(crate) fn step(&mut self) {
        self.steps += 1;
    }

    fn count(&mut self, cost: Cost, sign: i64) {
        if let Some([allocs, frees, _, bytes, allocated, misjudged]) = self.sites.get_mut(cost.site)
        {
            *(if sign > 0 { allocs } else { frees }) += 1;
            *bytes += sign * cost.bytes as i64;
            *allocated += sign * cost.allocated as i64;
            *misjudged += i64::from(cost.allocated != cost.footprint);
        }
    }

    fn fail(&mut self, site: usize) {
        if let Some([_, _, failures, ..]) = self.sites.get_mut(site) {
            *failures += 1;
        }
    }

    /// Tallies the operation `alloc`.
    pub(crate) fn alloc(
        &mut self,
        kind: Kind,
        alloc: impl FnOnce() -> Result<Held, AllocError>,
    ) -> Option<Held> {
        match alloc() {
            Ok(held) => {
                self.count(held.cost(), 1);
                Some(held)
            }
            Err(AllocError) => {
                self.fail(kind.0);
                None
            }
        }
    }

    /// Tallies a resize: one block allocated and one freed.
    pub(crate) fn resize(&mut self, held: &mut Held, random: u32) {
        let old = held.cost();
        match held.resize(random) {
            None => {}
            Some(Ok(())) => {
                self.count(held.cost(), 1);
                self.count(old, -1);
            }
            Some(Err(AllocError)) => self.fail(old.site),
        }
    }

    /// Tallies a block before it is freed.
    pub(crate) fn free(&mut self, held: &Held) {
        self.count(held.cost(), -1);
    }
}

/// The tallies of all workers.
pub(crate) struct Tallies {
    steps: Atomic<u64>,
    sites: [[Atomic<i64>; NAMES.len()]; COUNT],
}

impl Tallies {
    pub(crate) fn new() -> Self {
        Tallies {
            steps: Atomic::new(0),
            sites: [const { [const { Atomic::new(0) }; NAMES.len()] }; COUNT],
        }
    }

    /// Adds the tally of a worker.
    pub(crate) fn add(&self, tally: &Tally) {
        self.steps.add(tally.steps, ordering::Relaxed);
        for (sums, numbers) in self.sites.iter().zip(&tally.sites) {
            for (sum, number) in sums.iter().zip(numbers) {
                sum.add(*number, ordering::Relaxed);
            }
        }
    }

    /// Returns the number of operations.
    pub(crate) fn steps(&self) -> u64 {
        self.steps.load(ordering::Relaxed)
    }

    /// Logs the counters of the sites that differ from the tallies. Returns their number.
    pub(crate) fn differences(&self, when: &str) -> u32 {
        let mut wrong = 0;
        for (sums, site) in self.sites.iter().zip(SITES) {
            let site = site();
            let totals = site.totals();
            let counted = [
                totals.allocs,
                totals.frees,
                totals.failures.total(),
                totals.live_bytes,
                totals.live_allocated,
                0,
            ];
            for ((name, sum), counted) in NAMES.iter().zip(sums).zip(counted) {
                let tallied = sum.load(ordering::Relaxed);
                if tallied != counted as i64 {
                    pr_err!(
                        "{} {when}: {name} is {counted}, not {tallied}\n",
                        site.name()
                    );
                    wrong += 1;
                }
            }
            // The histogram adds up to the same numbers.
            let sized = site
                .sizes()
                .fold([0, 0], |[a, f], s| [a + s.allocs, f + s.frees]);
            if site.unit() == 0 && sized != [totals.allocs, totals.frees] {
                pr_err!("{} {when}: the sizes' sums are {sized:?}\n", site.name());
                wrong += 1;
            }
        }
        wrong
    }

    /// Returns the number of sites with live blocks.
    pub(crate) fn live(&self) -> u32 {
        SITES
            .iter()
            .filter(|site| site().totals().live() != 0)
            .count() as u32
    }
}
