// SPDX-License-Identifier: GPL-2.0-only

//! The state of the file between a write and a read.

use crate::{
    case::{
        self,
        Case, //
    },
    fixture::Fixture,
    measure::Figures, //
};
use kalloc::fs::seq_file::SeqFile;
use kernel::{
    fmt::{
        self,
        Write, //
    },
    prelude::*, //
};

/// The results of the last write.
pub(crate) struct State {
    fixture: Fixture,
    results: KVec<(&'static Case, Figures)>,
}

impl State {
    /// Returns a state without results.
    pub(crate) fn new(fixture: Fixture) -> Self {
        State {
            fixture,
            results: KVec::new(),
        }
    }

    /// Runs the group of a write.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if there is no group of that name.
    /// - The error of a case.
    pub(crate) fn command(&mut self, text: &[u8]) -> Result {
        let name = core::str::from_utf8(text).map_err(|_| EINVAL)?.trim();

        self.results.clear();
        for case in case::group(name).ok_or(EINVAL)? {
            let figures = Figures::of(&self.fixture, case).inspect_err(|e| {
                pr_err!(
                    "{} {} {}: {:?}\n",
                    case.scenario,
                    case.side.name(),
                    case.param,
                    e
                )
            })?;
            self.results.push((case, figures), GFP_KERNEL)?;
        }
        Ok(())
    }

    /// Writes the results, one per line, or the names of the groups.
    pub(crate) fn show(&self, f: &mut SeqFile) -> fmt::Result {
        if self.results.is_empty() {
            f.write_str("# write one of:")?;
            for name in case::groups() {
                write!(f, " {name}")?;
            }
            f.write_str("\n")?;
        }
        f.write_str(
            "#     param side         least ns    median ns      most ns \
             least cycles median cycles scenario\n",
        )?;
        for (case, figures) in &self.results {
            write!(f, "{:>11} {:<9} ", case.param, case.side.name())?;
            let Figures { ns, cycles } = figures;
            for hundredths in [ns.least, ns.median, ns.most, cycles.least, cycles.median] {
                write!(f, "{:>9}.{:02} ", hundredths / 100, hundredths % 100)?;
            }
            writeln!(f, "{}", case.scenario)?;
        }
        Ok(())
    }
}
