// SPDX-License-Identifier: GPL-2.0-only

//! The state of the file `exercise`: its text and its commands.

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

/// The result of a run, for the site of its workload.
pub(crate) struct Report {
    workload: &'static Workload,
    plan: Plan,
    allocs: u64,
    frees: u64,
    failures: u64,
    pub(crate) result: Result,
}

impl Report {
    /// Runs a workload.
    ///
    /// The report's result is the workload's, or [`EIO`] if the contents of a block or the site's
    /// count are wrong.
    pub(crate) fn of(workload: &'static Workload, plan: &Plan, kept: &mut Kept) -> Self {
        let site = (workload.site)();
        let before = site.totals();
        let mut result = (workload.run)(plan, kept);
        let after = site.totals();

        // No other code uses the site: only the kept blocks are live, and each must be counted
        // correctly.
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

/// The results of the runs of one command.
pub(crate) type Reports = KVec<Report>;

/// The state of the module: the kept blocks, and the last reports.
#[pin_data]
pub(crate) struct State {
    /// The kept blocks, which a command takes for the time of its workloads, which can be seconds.
    #[pin]
    kept: InterruptibleSlot<Kept>,
    /// The last reports. The lock is only held briefly.
    #[pin]
    reports: Mutex<Reports>,
}

impl State {
    /// The maximum length of a command.
    const MAX_COMMAND: usize = 256;

    pub(crate) fn new(kept: Kept, reports: Reports) -> impl PinInit<Self> {
        pin_init!(State {
            kept <- InterruptibleSlot::new(kept),
            reports <- new_mutex!(reports),
        })
    }

    /// Runs workloads one after another until one fails, and adds a report of each.
    ///
    /// # Errors
    ///
    /// The error of the workload.
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

    /// Executes the command of one write.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if the command is unknown, or a number is out of range.
    /// - [`E2BIG`] if the text is too long.
    /// - [`EINTR`] if the task has a pending signal, [`ENODEV`] if the module is being unloaded.
    /// - The error of the workload, which the file then shows.
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

    /// Makes the running commands end.
    pub(crate) fn cancel(&self) {
        command::cancel();
        self.kept.wake();
    }

    /// Writes the list of workloads, or the reports of the last command.
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
