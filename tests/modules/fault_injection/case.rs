// SPDX-License-Identifier: GPL-2.0

//! What a case is here, that KUnit's macros make another thing of: a function that returns, also if what it
//! expects is not so.

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

/// What a function can return that expects something.
pub(crate) trait Returned {
    /// What it returns if that is not so.
    fn unmet() -> Self;

    /// How a case ended that returns it.
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

/// Whether something was not as the case that runs expects, and whether it cannot run here.
static UNMET: Atomic<bool> = Atomic::new(false);
static SKIPPED: Atomic<bool> = Atomic::new(false);

/// Notes that something is not so.
pub(crate) fn unmet<T: Returned>() -> T {
    UNMET.store(true, Relaxed);
    T::unmet()
}

/// Notes that the case cannot run on this kernel.
pub(crate) fn skipped<T: Returned>() -> T {
    SKIPPED.store(true, Relaxed);
    T::unmet()
}

/// In a suite, ends the case that runs.
macro_rules! skip {
    ($reason:literal) => {
        return $crate::case::skipped()
    };
}

pub(crate) use skip;

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    Passed,
    /// Likewise, and nothing was refused.
    Untouched,
    /// With this error.
    Failed(Error),
    /// What it expected was not so.
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
