// SPDX-License-Identifier: GPL-2.0

//! What the file `exercise` shows and does.

#![deny(unsafe_code)]

use super::{
    command::{
        Command,
        Plan, //
    },
    workload::{
        self,
        Kept,
        Workload, //
    }, //
};
use kernel::{
    fmt,
    prelude::*,
    uaccess::UserSliceReader, //
};

/// What came of a run, for the site of its workload.
struct Report {
    workload: &'static Workload,
    plan: Plan,
    allocs: u64,
    frees: u64,
    failures: u64,
    result: Result,
}

/// The module's state: what is kept, and what was done last.
pub(crate) struct State {
    kept: Kept,
    reports: KVec<Report>,
}

impl State {
    /// The longest command.
    const MAX_COMMAND: usize = 256;

    pub(crate) fn new() -> Result<Self> {
        Ok(State {
            kept: Kept::new()?,
            reports: KVec::new(),
        })
    }

    /// Runs a workload and notes what came of it.
    ///
    /// # Errors
    ///
    /// The workload's; [`EIO`] if a block's content, or the site's count, is not what it must be.
    pub(crate) fn run(&mut self, workload: &'static Workload, plan: &Plan) -> Result {
        let site = (workload.site)();
        let before = site.totals();
        let mut result = (workload.run)(plan, &mut self.kept);
        let after = site.totals();

        // Nobody else uses the site: exactly the blocks kept are live, each counted as it should.
        if result.is_ok() && after.live() != (plan.keep * (workload.blocks)(plan)) as u64 {
            result = Err(EIO);
        }
        self.reports.push(
            Report {
                workload,
                plan: *plan,
                allocs: after.allocs - before.allocs,
                frees: after.frees - before.frees,
                failures: after.failures.total() - before.failures.total(),
                result,
            },
            GFP_KERNEL,
        )?;
        result
    }

    /// Does what one write asks for.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if it is not understood: not a command, or out of range.
    /// - [`E2BIG`] if it is too long.
    /// - The workload's. The file then shows which one.
    pub(crate) fn command(&mut self, input: &mut UserSliceReader) -> Result {
        let mut line = [0; Self::MAX_COMMAND];
        let line = line.get_mut(..input.len()).ok_or(E2BIG)?;
        input.read_slice(line)?;
        let line = core::str::from_utf8(line).map_err(|_| EINVAL)?;

        match Command::parse(line)? {
            Command::Free => {
                self.reports.clear();
                self.kept.clear();
                Ok(())
            }
            Command::Run(workloads, plan) => {
                self.reports.clear();
                workloads.iter().try_for_each(|w| self.run(w, &plan))
            }
        }
    }

    /// Writes the workloads there are, or what came of those that ran last.
    pub(crate) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("# write: WORKLOAD|all [count=N] [size=BYTES] [keep=N], or: free\n")?;
        if self.reports.is_empty() {
            for workload in workload::ALL {
                writeln!(f, "# {:<8} {}", workload.name, workload.about)?;
            }
        }
        f.write_str("# workload  count    size   keep    allocs     frees failures result\n")?;
        for r in &self.reports {
            write!(
                f,
                "{:<10} {:>6} {:>7} {:>6} {:>9} {:>9} {:>8} ",
                r.workload.name,
                r.plan.count,
                r.plan.size,
                r.plan.keep,
                r.allocs,
                r.frees,
                r.failures,
            )?;
            match r.result {
                Ok(()) => f.write_str("ok\n")?,
                Err(e) => writeln!(f, "{e:?}")?,
            }
        }
        Ok(())
    }
}
