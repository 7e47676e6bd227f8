// SPDX-License-Identifier: GPL-2.0

//! What the file `exercise` shows and does.

#![deny(unsafe_code)]

use super::{
    command::{
        self,
        Command,
        Plan, //
    },
    workload::{
        self,
        Kept,
        Workload, //
    }, //
};
use crate::turns::InterruptibleSlot;
use kernel::{
    fmt,
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

/// What came of a run, for the site of its workload.
pub(crate) struct Report {
    workload: &'static Workload,
    plan: Plan,
    allocs: u64,
    frees: u64,
    failures: u64,
    pub(crate) result: Result,
}

impl Report {
    /// Runs a workload. Its result is the workload's, or [`EIO`] if a block's content, or the site's
    /// count, is not what it must be.
    pub(crate) fn of(workload: &'static Workload, plan: &Plan, kept: &mut Kept) -> Self {
        let site = (workload.site)();
        let before = site.totals();
        let mut result = (workload.run)(plan, kept);
        let after = site.totals();

        // Nobody else uses the site: exactly the blocks kept are live, each counted as it should.
        if result.is_ok() && after.live() != (plan.keep * (workload.blocks)(plan)) as u64 {
            result = Err(EIO);
        }
        Report {
            workload,
            plan: *plan,
            allocs: after.allocs - before.allocs,
            frees: after.frees - before.frees,
            failures: after.failures.total() - before.failures.total(),
            result,
        }
    }
}

/// What came of the runs of one command.
pub(crate) type Reports = KVec<Report>;

/// The module's state: what is kept, and what was done last.
#[pin_data]
pub(crate) struct State {
    /// Held by who runs workloads, which can take seconds.
    #[pin]
    kept: InterruptibleSlot<Kept>,
    /// Held for moments.
    #[pin]
    reports: Mutex<Reports>,
}

impl State {
    /// The longest command.
    const MAX_COMMAND: usize = 256;

    pub(crate) fn new(kept: Kept, reports: Reports) -> impl PinInit<Self> {
        pin_init!(State {
            kept <- InterruptibleSlot::new(kept),
            reports <- new_mutex!(reports),
        })
    }

    /// Runs workloads one after another, until one fails, and notes what came of each.
    ///
    /// # Errors
    ///
    /// The workload's.
    fn run(&self, workloads: &'static [Workload], plan: &Plan, kept: &mut Kept) -> Result {
        let plan = plan.starting_now();
        for workload in workloads {
            let report = Report::of(workload, &plan, kept);
            let result = report.result;
            self.reports.lock().push(report, GFP_KERNEL)?;
            result?;
        }
        Ok(())
    }

    /// Does what one write asks for.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if it is not understood: not a command, or out of range.
    /// - [`E2BIG`] if it is too long.
    /// - [`EINTR`] if there is a signal, [`ENODEV`] if the module goes.
    /// - The workload's. The file then shows which one.
    pub(crate) fn command(&self, text: &[u8]) -> Result {
        if text.len() > Self::MAX_COMMAND {
            return Err(E2BIG);
        }
        let line = core::str::from_utf8(text).map_err(|_| EINVAL)?;

        let command = Command::parse(line)?;
        self.kept.take(command::stay, |kept| {
            *self.reports.lock() = Reports::new();
            match command {
                Command::Free => {
                    kept.clear();
                    Ok(())
                }
                Command::Run(workloads, plan) => self.run(workloads, &plan, kept),
            }
        })
    }

    /// Has the commands that are under way end.
    pub(crate) fn cancel(&self) {
        command::cancel();
        self.kept.wake();
    }

    /// Writes the workloads there are, or what came of those that ran last.
    pub(crate) fn show(&self, f: &mut impl fmt::Write) -> fmt::Result {
        f.write_str("# write: WORKLOAD|all [count=N] [size=BYTES] [keep=N], or: free\n")?;
        let reports = self.reports.lock();
        if reports.is_empty() {
            for workload in workload::ALL {
                writeln!(f, "# {:<8} {}", workload.name, workload.about)?;
            }
        }
        f.write_str("# workload  count    size   keep    allocs     frees failures result\n")?;
        for r in reports.iter() {
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
