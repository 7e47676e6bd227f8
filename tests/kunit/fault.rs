// SPDX-License-Identifier: GPL-2.0

//! Refuses a call each of its allocations in turn: the first, the second, and so on, until there is
//! none left that could be refused; and then all of them.
//!
//! The kernel's fault injection does it (failslab, fail_page_alloc), for the current thread alone, and
//! while [`Refusal::during`] makes the call.

use crate::refusal::{
    self,
    Refusal, //
};
use kalloc::{
    accounting::stats::Failures, //
    Tag,
};
use kernel::{
    ffi::c_uint,
    prelude::*, //
};

mod cache;
mod free;
mod kinds;
mod kmalloc;
mod pages;
mod site;
mod vmalloc;

/// The sites of all suites.
pub(crate) const SITES: &[&[fn() -> &'static kalloc::Site]] = &[
    cache::SITES,
    free::SITES,
    kinds::SITES,
    kmalloc::SITES,
    pages::SITES,
    site::SITES,
    vmalloc::SITES,
];

/// Skips the case that runs if the kernel cannot refuse allocations. It comes first in each.
pub(crate) fn needed() {
    if !refusal::are_possible() {
        crate::case::skip!(c"the kernel has no fault injection");
    }
}

/// How the site is to count a call that fails.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Counts {
    /// As a failure of one that might sleep.
    NoMemory,
    /// As a failure of one that might not.
    NoWait,
    /// Not at all: what failed is no allocation of the site's.
    Not,
}

impl Counts {
    /// What the failures are after `before`.
    fn after(self, before: Failures) -> Failures {
        Failures {
            no_memory: before.no_memory + u64::from(self == Counts::NoMemory),
            no_wait: before.no_wait + u64::from(self == Counts::NoWait),
            ..before
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Faults {
    /// Single refusals that the call failed for.
    pub(crate) failed: u32,
    /// Those that it took another way for, or that something it does not need was refused.
    pub(crate) survived: u32,
    /// Whether it fails if it gets no memory at all.
    pub(crate) needs_memory: bool,
}

/// Makes `call` with each of its allocations refused, then with all of them, on what `prepare` makes for
/// it.
///
/// A call that fails must fail with `ENOMEM`, leave as many blocks live at `S` as there were, and
/// be counted there as `counts` says; then `intact` is asked whether all that was prepared is what it
/// was. A call that succeeds must say itself whether what it got is right.
///
/// # Errors
///
/// [`EIO`] if something was not right, which the log tells; [`ENODEV`] without fault injection.
pub(crate) fn refuse_each<S: Tag, P, E: Into<Error>>(
    counts: Counts,
    prepare: impl Fn() -> Result<P>,
    call: impl Fn(&mut P) -> Result<bool, E>,
    intact: impl Fn(&P) -> bool,
) -> Result<Faults> {
    refuse_first::<S, P, E>(c_uint::MAX, counts, prepare, call, intact)
}

/// As [`refuse_each`], but no allocation after the first `most`.
pub(crate) fn refuse_first<S: Tag, P, E: Into<Error>>(
    most: c_uint,
    counts: Counts,
    prepare: impl Fn() -> Result<P>,
    call: impl Fn(&mut P) -> Result<bool, E>,
    intact: impl Fn(&P) -> bool,
) -> Result<Faults> {
    if !refusal::are_possible() {
        return Err(ENODEV);
    }
    let make = |refusal: Refusal| {
        let mut prepared = prepare()?;
        let before = S::site().totals();
        let (outcome, refused) = refusal.during(|| call(&mut prepared).map_err(Into::into));
        let after = S::site().totals();

        let right = match outcome {
            Ok(right) => right && after.failures == before.failures,
            Err(error) => {
                refused
                    && error == ENOMEM
                    && (after.live(), after.live_bytes) == (before.live(), before.live_bytes)
                    && after.failures == counts.after(before.failures)
                    && intact(&prepared)
            }
        };
        if !right {
            pr_err!("{refusal:?} ({refused}): {outcome:?}, {before:?}, then {after:?}\n");
            return Err(EIO);
        }
        Ok((refused, outcome.is_err()))
    };
    let mut faults = Faults::default();
    for nth in 1..=most {
        match make(Refusal::Of(nth))? {
            (true, true) => faults.failed += 1,
            (true, false) => faults.survived += 1,
            (false, _) => break,
        }
    }
    faults.needs_memory = make(Refusal::OfAll)?.1;
    Ok(faults)
}
