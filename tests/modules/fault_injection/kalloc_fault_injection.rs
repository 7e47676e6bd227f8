// SPDX-License-Identifier: GPL-2.0-only

//! The cases of the KUnit suites, and the examples, under fault injection. Each runs with all
//! allocations failing, then with its first, its second, and so on, until none is left. They run
//! when the module is loaded.
//!
//! `scripts/kalloc_dev/test/fault_injection/generate.py` generates them from `tests/kunit/`. A case
//! in which an allocation fails may still pass, fail with `ENOMEM`, or find a condition that does
//! not hold. In every outcome it must leave nothing live.

use case::{
    Case,
    End,
    Returned, //
};
use fail_nth::Refusal;
use kalloc::Site;
use kernel::{
    fmt,
    prelude::*,
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};

// Like KUnit's macro for a suite, but ends the function and not the thread.
macro_rules! assert {
    ($condition:expr $(,)?) => {
        if !$condition {
            return $crate::case::unmet();
        }
    };
}

macro_rules! assert_eq {
    ($left:expr, $right:expr $(,)?) => {
        assert!($left == $right)
    };
}

macro_rules! assert_ne {
    ($left:expr, $right:expr $(,)?) => {
        assert!($left != $right)
    };
}

#[path = "../../../rust/testing/block.rs"]
mod block;
mod case;
#[allow(dead_code)] // Only suites that are not run again use the other kinds of failures.
#[path = "../../kunit/fail_nth.rs"]
mod fail_nth;
#[path = "../../../rust/accounting/linked/slots.rs"]
mod linked_slots;
#[path = "../../../rust/testing/observe.rs"]
mod observe;
#[path = "../../../rust/testing/raw.rs"]
mod raw;
#[path = "../../kunit/site_delta.rs"]
mod site_delta;
#[path = "../../doctests/sites.rs"]
mod sites;
#[path = "../../../samples/hash/table.rs"]
mod table;

pub(crate) use site_delta::{
    Change,
    Dropped, //
};
use sites::module;

module! {
    type: KallocRefused,
    name: "kalloc_fault_injection",
    authors: ["The kalloc authors"],
    description: "The KUnit cases of kalloc under fault injection",
    license: "GPL",
    params: {
        seconds: u32 {
            default: 0,
            description: "Seconds in which each allocation of each case fails once; 0: only some allocations fail",
        },
    },
}

// `CASES` and `SITES`.
include!(env!("KALLOC_FAULT_INJECTION"));

/// The last allocation that fails if the time is too short for each.
const FEW: u32 = 15;

struct KallocRefused;

impl kernel::Module for KallocRefused {
    fn init(module: &'static ThisModule) -> Result<Self> {
        if !fail_nth::are_possible() {
            return Err(ENODEV);
        }
        site::remember(module);
        for sites in SITES {
            kalloc::register(module, sites)?;
        }
        #[expect(clippy::clone_on_copy)] // On Linux 7.2, this is a reference to the parameter.
        let seconds = module_parameters::seconds.value().clone();
        let end = (seconds != 0).then(|| Instant::now() + Delta::from_secs(seconds.into()));
        let mut tally = Tally::default();
        let mut wrong = 0;
        let mut note = |case: &Case, ended: Result<(), Wrong>| {
            if let Err(why) = ended {
                pr_err!("{}.{}: {why:?}\n", case.suite, case.name);
                wrong += 1;
            }
        };
        // The cases with more allocations than their share of the time allows, and the next
        // allocation of each.
        let mut rest = KVec::new();
        for (at, case) in CASES.iter().enumerate() {
            let share = end.map(|end| share(end, CASES.len() - at));
            match tally.begin(case, share) {
                Ok(Some(next)) => rest.push((case, next), GFP_KERNEL)?,
                ended => note(case, ended.map(drop)),
            }
        }
        for (at, &(case, next)) in rest.iter().enumerate() {
            let share = end.map(|end| share(end, rest.len() - at));
            note(case, tally.go_on(case, next, share));
        }
        pr_info!("{tally}\n");
        if wrong != 0 {
            return Err(EIO);
        }
        Ok(KallocRefused)
    }
}

/// Returns the end of a case's share of the time until `end`. Unused time is shared by the
/// remaining cases.
fn share(end: Instant<Monotonic>, left: usize) -> Instant<Monotonic> {
    let now = Instant::now();
    let millis = (end - now).as_millis().max(0);
    // CAST: There are some hundred cases. `checked_div` avoids a panic for zero, which objtool
    // would report.
    now + Delta::from_millis(millis.checked_div(left as i64).unwrap_or_default())
}

/// The number of runs, by result of the case.
#[derive(Default)]
struct Tally {
    cases: u32,
    skipped: u32,
    /// The cases in which each allocation failed once.
    complete: u32,
    passed: u32,
    failed: u32,
    unmet: u32,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            cases,
            skipped,
            complete,
            passed,
            failed,
            unmet,
            ..
        } = self;
        let refused = passed + failed + unmet;
        write!(
            f,
            "cases {cases} skipped {skipped} complete {complete} \
             refused {refused} passed {passed} failed {failed} unmet {unmet}"
        )
    }
}

/// The errors that this module finds.
#[derive(Debug)]
#[expect(dead_code)] // `Debug` prints the fields.
enum Wrong {
    /// A case ended with this result.
    Ended(Refusal, End),
    /// A case left something live at this site.
    Left(Refusal, &'static str),
    /// The live blocks could not be read: no memory.
    Unwatched(Error),
}

impl Tally {
    /// Makes all allocations of a case fail at once, and then each in turn until `share`. Returns
    /// the next allocation, if there are more. Without a share, tries only some allocations.
    fn begin(
        &mut self,
        case: &Case,
        share: Option<Instant<Monotonic>>,
    ) -> Result<Option<u32>, Wrong> {
        if self.refuse(case, Refusal::OfAll)? == End::Skipped {
            self.skipped += 1;
            return Ok(None);
        }
        self.cases += 1;
        match share {
            Some(share) => self.refuse_each(case, 1, share),
            // The odd allocations: between them are kmemleak's own, for its records of the previous
            // allocations.
            None => self.refuse_some(case, 3, |nth| 5 * nth, FEW).map(|()| None),
        }
    }

    /// Makes each allocation of a case fail, from `nth` on until `share`, and then some of the
    /// others.
    fn go_on(
        &mut self,
        case: &Case,
        nth: u32,
        share: Option<Instant<Monotonic>>,
    ) -> Result<(), Wrong> {
        let left = match share {
            Some(share) => self.refuse_each(case, nth, share)?,
            None => Some(nth),
        };
        left.map_or(Ok(()), |left| {
            self.refuse_some(case, left, |nth| nth + nth / 4 + 1, u32::MAX)
        })
    }

    /// Makes each allocation of a case fail, from `nth` on until `share`. Returns the next one, if
    /// there are more.
    fn refuse_each(
        &mut self,
        case: &Case,
        mut nth: u32,
        share: Instant<Monotonic>,
    ) -> Result<Option<u32>, Wrong> {
        // In the last run no allocation fails, and the case passes.
        while self.refuse(case, Refusal::Of(nth))? != End::Untouched {
            nth += 1;
            if (share - Instant::now()).as_nanos() < 0 {
                return Ok(Some(nth));
            }
        }
        self.complete += 1;
        Ok(None)
    }

    /// Makes some of the allocations of a case fail, from `nth` on.
    fn refuse_some(
        &mut self,
        case: &Case,
        mut nth: u32,
        next: fn(u32) -> u32,
        last: u32,
    ) -> Result<(), Wrong> {
        while nth <= last && self.refuse(case, Refusal::Of(nth))? != End::Untouched {
            nth = next(nth);
        }
        Ok(())
    }

    /// Runs a case under fault injection.
    fn refuse(&mut self, case: &Case, refusal: Refusal) -> Result<End, Wrong> {
        let before = live().map_err(Wrong::Unwatched)?;
        let (end, refused) = refusal.during(|| case.run());
        let after = live().map_err(Wrong::Unwatched)?;
        if let Some(at) = (0..before.len()).find(|&at| before[at] != after[at]) {
            return Err(Wrong::Left(refusal, before[at].0));
        }
        match end {
            End::Skipped => {}
            End::Passed if !refused => return Ok(End::Untouched),
            // A case may have no allocations that could fail.
            End::Passed => self.passed += u32::from(refusal != Refusal::OfAll),
            End::Failed(ENOMEM) if refused => self.failed += 1,
            End::Unmet if refused => {
                self.unmet += 1;
                pr_info!("unmet: {}.{}\n", case.suite, case.name);
            }
            _ => return Err(Wrong::Ended(refusal, end)),
        }
        Ok(end)
    }
}

/// Returns the name, the live blocks and their bytes for each site.
fn live() -> Result<KVec<(&'static str, u64, u64)>> {
    let mut live = KVec::new();
    for site in SITES.iter().copied().flatten() {
        let totals = site().totals();
        live.push(
            (site().name(), totals.live(), totals.live_bytes),
            GFP_KERNEL,
        )?;
    }
    Ok(live)
}
