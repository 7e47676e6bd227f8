// SPDX-License-Identifier: GPL-2.0-only

//! The cases of the KUnit suites as functions that return, even if a condition does not hold.
//! KUnit's macros end the thread instead.

use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// A case of a suite.
pub(crate) struct Case {
    pub(crate) suite: &'static str,
    pub(crate) name: &'static str,
    pub(crate) run: fn() -> Result,
}

/// The return types of cases.
pub(crate) trait Returned {
    /// Returns the value for a condition that does not hold.
    fn unmet() -> Self;

    /// Returns the result of a case that returned this value.
    fn end(self) -> Result;
}

impl Returned for () {
    fn unmet() {}

    fn end(self) -> Result {
        Ok(())
    }
}

impl Returned for Result {
    fn unmet() -> Self {
        Err(EDOM)
    }

    fn end(self) -> Result {
        self
    }
}

/// True if a condition of the current case does not hold, and if the case cannot run here.
static UNMET: Atomic<bool> = Atomic::new(false);
static SKIPPED: Atomic<bool> = Atomic::new(false);

/// Records that a condition does not hold.
pub(crate) fn unmet<T: Returned>() -> T {
    UNMET.store(true, Relaxed);
    T::unmet()
}

/// Records that the case cannot run on this kernel.
pub(crate) fn skipped<T: Returned>() -> T {
    SKIPPED.store(true, Relaxed);
    T::unmet()
}

/// Ends the current case of a suite.
macro_rules! skip {
    ($reason:literal) => {
        return $crate::case::skipped()
    };
}

pub(crate) use skip;

/// The result of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    Passed,
    /// The case passed, and no allocation failed.
    Untouched,
    /// The case returned this error.
    Failed(Error),
    /// A condition of the case did not hold.
    Unmet,
    Skipped,
}

impl Case {
    pub(crate) fn run(&self) -> End {
        UNMET.store(false, Relaxed);
        SKIPPED.store(false, Relaxed);
        let end = (self.run)();
        match (SKIPPED.load(Relaxed), UNMET.load(Relaxed), end) {
            (true, _, _) => End::Skipped,
            (_, true, _) => End::Unmet,
            (_, _, Ok(())) => End::Passed,
            (_, _, Err(error)) => End::Failed(error),
        }
    }
}
