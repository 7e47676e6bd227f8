// SPDX-License-Identifier: GPL-2.0

//! The cases of the KUnit suites, and the examples, with allocations refused: each with all of them, then with
//! its first, its second, and so on, until there is none left to refuse. They run when the module is loaded.
//!
//! `scripts/kalloc_env/refused.py` takes them from `tests/kunit/`. A case that is refused memory may pass all
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

#[path = "../../rust/testing/block.rs"]
mod block;
mod case;
#[path = "../kunit/refusal.rs"]
mod refusal;
#[path = "../doctests/sites.rs"]
mod sites;
#[path = "../kunit/watch.rs"]
mod watch;

use sites::module;
pub(crate) use watch::{
    Change,
    Dropped, //
};

module! {
    type: KallocRefused,
    name: "kalloc_refused",
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
include!(env!("KALLOC_REFUSED"));

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
        for (at, case) in CASES.iter().enumerate() {
            let share = end.map(|end| share(end, CASES.len() - at));
            if let Err(why) = tally.refuse_each(case, share) {
                pr_err!("{}.{}: {why:?}\n", case.suite, case.name);
                wrong += 1;
            }
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
    // CAST: There are some hundred.
    now + Delta::from_millis((end - now).as_millis().max(0) / left as i64)
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
    /// Refuses a case each of its allocations until `share`, and then, or if there is none, some.
    fn refuse_each(&mut self, case: &Case, share: Option<Instant<Monotonic>>) -> Result<(), Wrong> {
        let unmet = self.unmet;
        if self.refuse(case, Refusal::OfAll)? == End::Skipped {
            self.skipped += 1;
            return Ok(());
        }
        self.cases += 1;
        let mut each = share.is_some();
        // Of few, the odd ones: between them are the leak detector's own, for what was had before.
        let mut nth = if each { 1 } else { 3 };
        // In the end nothing is refused, and it passes.
        loop {
            if self.refuse(case, Refusal::Of(nth))? == End::Untouched {
                self.complete += u32::from(each);
                break;
            }
            if share.is_none() && nth >= FEW {
                break;
            }
            each = each && share.is_some_and(|share| (share - Instant::now()).as_nanos() > 0);
            nth += match (each, share) {
                (true, _) => 1,
                (false, Some(_)) => (nth / 4).max(1),
                (false, None) => 4 * nth,
            };
        }
        if self.unmet != unmet {
            pr_info!("unmet: {}.{}\n", case.suite, case.name);
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
            End::Unmet if refused => self.unmet += 1,
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
