// SPDX-License-Identifier: GPL-2.0

//! The table: a fact a line.

#![deny(unsafe_code)]

use super::{
    claims::{
        self,
        Claim, //
    },
    value::Value, //
};
use core::fmt::{
    self,
    Write, //
};
use kernel::prelude::*;

/// A property of an API: its value, and the claim.
struct Fact {
    api: &'static str,
    property: &'static str,
    measured: Value,
    /// True if the value is a constant, which nothing was measured for.
    stated: bool,
    claim: Option<Claim>,
}

/// All facts, in the order in which they were measured.
pub(crate) struct Table(KVec<Fact>);

impl Table {
    pub(crate) fn new() -> Self {
        Table(KVec::new())
    }

    /// Adds what was measured.
    ///
    /// # Errors
    ///
    /// - [`EINTR`] if somebody wants the reader to stop.
    /// - [`ENOMEM`] if there is no memory.
    pub(crate) fn add(
        &mut self,
        api: &'static str,
        property: &'static str,
        measured: Value,
    ) -> Result {
        self.push(api, property, measured, false)
    }

    /// Adds what is a constant: of the kernel's build, or because it must not be tried.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub(crate) fn state(
        &mut self,
        api: &'static str,
        property: &'static str,
        value: Value,
    ) -> Result {
        self.push(api, property, value, true)
    }

    fn push(
        &mut self,
        api: &'static str,
        property: &'static str,
        measured: Value,
        stated: bool,
    ) -> Result {
        if kernel::current!().signal_pending() {
            return Err(EINTR);
        }
        let claim = claims::of(api, property)?;
        self.0.push(
            Fact {
                api,
                property,
                measured,
                stated,
                claim,
            },
            GFP_KERNEL,
        )?;
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("# space api property measured claim verdict\n")?;
        for fact in &self.0 {
            column(f, 6, &"kernel")?;
            column(f, 16, &fact.api)?;
            column(f, 22, &fact.property)?;
            column(f, 12, &Measured(fact))?;
            let Some(claim) = &fact.claim else {
                column(f, 14, &"-")?;
                f.write_str("-\n")?;
                continue;
            };
            column(f, 14, &claim.value)?;
            match fact.measured.bears_out(&claim.value) {
                Some(true) => f.write_str("holds\n")?,
                Some(false) => writeln!(f, "outdated: {}", claim.otherwise)?,
                None => f.write_str("-\n")?,
            }
        }
        Ok(())
    }
}

/// The cell of a value.
struct Measured<'a>(&'a Fact);

impl fmt::Display for Measured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.stated {
            f.write_str("stated:")?;
        }
        write!(f, "{}", self.0.measured)
    }
}

/// Writes `shown`, blanks up to `width`, and one more.
pub(crate) fn column(
    f: &mut fmt::Formatter<'_>,
    width: usize,
    shown: &dyn fmt::Display,
) -> fmt::Result {
    let mut column = Column { f, left: width };
    write!(column, "{shown}")?;
    let left = column.left;
    write!(f, "{:left$} ", "")
}

/// Counts what is written.
struct Column<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    left: usize,
}

impl Write for Column<'_, '_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.left = self.left.saturating_sub(s.len());
        self.f.write_str(s)
    }
}
