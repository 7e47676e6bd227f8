// SPDX-License-Identifier: GPL-2.0

//! The cases of the KUnit suites, and the examples, with allocations refused: each with all of them, then with
//! its first, its second, and so on, until there is none left to refuse. They run when the module is loaded.
//!
//! `scripts/kalloc_dev/test/fault_injection/generate.py` takes them from `tests/kunit/`. A case that is refused memory may pass all
//! the same; fail with `ENOMEM`; or find that something is not as it expects. In each event it leaves nothing.

use case::{
    Case,
    End,
    Returned, //
};
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
use refusal::Refusal;

// As KUnit's for a suite, but they end the function, and not the thread.
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
#[path = "../../../rust/testing/observe.rs"]
mod observe;
#[allow(dead_code)] // A suite that is not run again refuses by other rules, too.
#[path = "../../kunit/refusal.rs"]
mod refusal;
#[path = "../../doctests/sites.rs"]
mod sites;
#[path = "../../../samples/hash/table.rs"]
mod table;
#[path = "../../kunit/watch.rs"]
mod watch;

use sites::module;
pub(crate) use watch::{
    Change,
    Dropped, //
};

module! {
    type: KallocRefused,
    name: "kalloc_fault_injection",
    authors: ["The kalloc authors"],
    description: "The KUnit cases of kalloc, refused memory",
    license: "GPL",
    params: {
        seconds: u32 {
            default: 0,
            description: "How long to refuse each of a case's allocations, all cases together; 0: some of them",
        },
    },
}

// `CASES` and `SITES`.
include!(env!("KALLOC_FAULT_INJECTION"));

/// The last allocation that is refused, if there is no time for each.
const FEW: u32 = 15;

struct KallocRefused;

impl kernel::Module for KallocRefused {
    fn init(module: &'static ThisModule) -> Result<Self> {
        if !refusal::are_possible() {
            return Err(ENODEV);
        }
        site::remember(module);
        for sites in SITES {
            kalloc::register(module, sites)?;
        }
        #[expect(clippy::clone_on_copy)] // Linux 7.2 has a reference to the parameter.
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
        // Those with more allocations than their share of the time, and which comes next.
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

/// Until when a case may take each of its allocations, if those that are left share the time until `end`:
/// what some do not need is the others'.
fn share(end: Instant<Monotonic>, left: usize) -> Instant<Monotonic> {
    let now = Instant::now();
    let millis = (end - now).as_millis().max(0);
    // CAST: There are some hundred. None left would be no panic, of which objtool knows nothing.
    now + Delta::from_millis(millis.checked_div(left as i64).unwrap_or_default())
}

/// What was done, and how cases ended that were refused something.
#[derive(Default)]
struct Tally {
    cases: u32,
    skipped: u32,
    /// Those of which each allocation was refused.
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

/// What must not be.
#[derive(Debug)]
#[expect(dead_code)] // It is printed.
enum Wrong {
    /// A case ended like this.
    Ended(Refusal, End),
    /// It left something at this site.
    Left(Refusal, &'static str),
    /// There was no memory to watch it.
    Unwatched(Error),
}

impl Tally {
    /// Refuses a case all allocations at once, and then each until `share`. Returns which comes next, if there are
    /// more. Without a share, refuses some.
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
            // The odd ones: between them are the leak detector's own, for what was had before.
            None => self.refuse_some(case, 3, |nth| 5 * nth, FEW).map(|()| None),
        }
    }

    /// Refuses a case each of its allocations from `nth` on until `share`, and some of the others.
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

    /// Refuses a case each of its allocations from `nth` on until `share`. Returns which comes next, if there are
    /// more.
    fn refuse_each(
        &mut self,
        case: &Case,
        mut nth: u32,
        share: Instant<Monotonic>,
    ) -> Result<Option<u32>, Wrong> {
        // In the end nothing is refused, and it passes.
        while self.refuse(case, Refusal::Of(nth))? != End::Untouched {
            nth += 1;
            if (share - Instant::now()).as_nanos() < 0 {
                return Ok(Some(nth));
            }
        }
        self.complete += 1;
        Ok(None)
    }

    /// Refuses a case some of its allocations, from `nth` on.
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

    /// Runs a case with a refusal.
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
            // Of all of them there may be none.
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

/// What is live at each site: its name, blocks and bytes.
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
