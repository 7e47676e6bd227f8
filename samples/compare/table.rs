// SPDX-License-Identifier: GPL-2.0-only

//! The table, with one fact per line.

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

/// A property of an API: its value, and the claim about it.
struct Fact {
    api: &'static str,
    property: &'static str,
    measured: Value,
    /// A flag: the value is a constant that was not measured.
    stated: bool,
    claim: Option<Claim>,
}

/// All facts, in the order in which they were measured.
pub(crate) struct Table(KVec<Fact>);

impl Table {
    pub(crate) fn new() -> Self {
        Table(KVec::new())
    }

    /// Adds a measured value.
    ///
    /// # Errors
    ///
    /// - [`EINTR`] if the reader has a pending signal.
    /// - [`ENOMEM`] if there is not enough memory.
    pub(crate) fn add(
        &mut self,
        api: &'static str,
        property: &'static str,
        measured: Value,
    ) -> Result {
        self.push(api, property, measured, false)
    }

    /// Adds a constant: a value of the kernel's build, or a property that must not be tried.
    ///
    /// # Errors
    ///
    /// The errors of [`add`](Self::add).
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

/// Writes `shown`, padded to `width`, and a space.
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

/// A writer that counts the bytes left in a column.
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
