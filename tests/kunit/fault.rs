// SPDX-License-Identifier: GPL-2.0-only

//! Makes each allocation of a call fail in turn: the first, the second, and so on, until none is
//! left. The last run makes all of them fail.
//!
//! The kernel's fault injection (failslab, fail_page_alloc) applies to the current thread only,
//! while [`Refusal::during`] makes the call.

use crate::fail_nth::{
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

mod free;
mod kmalloc;
mod page;
mod site;
mod slab;
mod slab_ctor_rcu;
mod vmalloc;

/// The sites of all suites.
pub(crate) const SITES: &[&[fn() -> &'static kalloc::Site]] = &[
    free::SITES,
    kmalloc::SITES,
    page::SITES,
    site::SITES,
    slab::SITES,
    slab_ctor_rcu::SITES,
    vmalloc::SITES,
];

/// Skips the current case if the kernel has no fault injection. Each case calls this first.
pub(crate) fn needed() {
    if !fail_nth::are_possible() {
        crate::case::skip!(c"the kernel has no fault injection");
    }
}

/// The effect of a failed call on the counters of its site.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Counts {
    /// One failure of a call that might sleep.
    NoMemory,
    /// One failure of a call that must not sleep.
    NoWait,
    /// No failure: the failed allocation is not one of the site's.
    Not,
}

impl Counts {
    /// Returns the expected failure counters for the counters before the call.
    fn after(self, before: Failures) -> Failures {
        Failures {
            no_memory: before.no_memory + u64::from(self == Counts::NoMemory),
            no_wait: before.no_wait + u64::from(self == Counts::NoWait),
            ..before
        }
    }
}

/// The results of all runs of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Faults {
    /// Runs in which the call failed because of one injected failure.
    pub(crate) failed: u32,
    /// Runs in which the call succeeded: it had a fallback, or did not need the allocation.
    pub(crate) survived: u32,
    /// True if the call fails when all allocations fail.
    pub(crate) needs_memory: bool,
}

impl Faults {
    /// Returns whether the call failed at so many allocations, and with all of them; logs the
    /// results otherwise.
    pub(crate) fn are_at_least(&self, failed: u32) -> bool {
        let right = self.failed >= failed && self.needs_memory;
        if !right {
            pr_err!("{self:?}; expected to fail at {failed} allocations\n");
        }
        right
    }
}

/// Makes `call` with each of its allocations failing in turn, then with all of them failing. Each
/// run uses a fresh value from `prepare`.
///
/// A call that fails must return `ENOMEM`, leave as many live blocks at `S` as before, and be
/// counted there as `counts` specifies. Then `intact` must return true: the prepared value is
/// unchanged. A call that succeeds returns whether its result is right.
///
/// # Errors
///
/// [`EIO`] if a check failed, with the details in the log; [`ENODEV`] without fault injection.
pub(crate) fn refuse_each<S: Tag, P, E: Into<Error>>(
    counts: Counts,
    prepare: impl Fn() -> Result<P>,
    call: impl Fn(&mut P) -> Result<bool, E>,
    intact: impl Fn(&P) -> bool,
) -> Result<Faults> {
    refuse_first::<S, P, E>(c_uint::MAX, counts, prepare, call, intact)
}

/// Like [`refuse_each`], but makes only the first `most` allocations fail.
pub(crate) fn refuse_first<S: Tag, P, E: Into<Error>>(
    most: c_uint,
    counts: Counts,
    prepare: impl Fn() -> Result<P>,
    call: impl Fn(&mut P) -> Result<bool, E>,
    intact: impl Fn(&P) -> bool,
) -> Result<Faults> {
    if !fail_nth::are_possible() {
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
            // Only this run may have needed the allocation, for instance to refill a slab cache's
            // list of free objects. The next allocation then has this number in the next run.
            (true, false) => match make(Refusal::Of(nth))? {
                (true, true) => faults.failed += 1,
                _ => faults.survived += 1,
            },
            (false, _) => break,
        }
    }
    faults.needs_memory = make(Refusal::OfAll)?.1;
    Ok(faults)
}
