// SPDX-License-Identifier: GPL-2.0-only

//! The commands: `WORKLOAD|all [count=N] [size=BYTES] [keep=N]`, or `free`.

#![deny(unsafe_code)]

use super::workload::{
    self,
    Workload, //
};
use kalloc::mm::page_info;
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};

/// The amount of work of a workload, within limits that every machine can handle.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// The number of blocks to allocate and free.
    pub(crate) count: usize,
    /// The bytes of a block, if its type does not determine them.
    pub(crate) size: usize,
    /// The number of blocks to leave live.
    pub(crate) keep: usize,
    /// The time of the start.
    start: Instant<Monotonic>,
}

impl Plan {
    /// Returns a plan that starts now.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if a number is out of range.
    pub(crate) fn new(count: usize, size: usize, keep: usize) -> Result<Self> {
        let in_range = (1..=100_000).contains(&count)
            && (1..=kalloc::alloc::kmalloc::MAX_SIZE).contains(&size)
            && count.saturating_mul(size) <= Self::TOTAL_BYTES
            && keep <= 1_000
            && keep * size <= Self::LIVE_BYTES;
        let start = Instant::now();
        let plan = Plan {
            count,
            size,
            keep,
            start,
        };
        in_range.then_some(plan).ok_or(EINVAL)
    }

    /// The maximum bytes that a workload allocates in total, which takes seconds, not minutes.
    const TOTAL_BYTES: usize = 1 << 30;

    /// The maximum live bytes of a workload.
    const LIVE_BYTES: usize = 16 << 20;

    /// The maximum time of a command, for machines on which the bytes take longer.
    const LONGEST: Delta = Delta::from_secs(30);

    /// Returns the same plan, which starts now.
    pub(crate) fn starting_now(&self) -> Self {
        Plan {
            start: Instant::now(),
            ..*self
        }
    }

    /// Returns the number of blocks of `size` bytes to have live at a time. They take an eighth of
    /// the free memory.
    pub(crate) fn window(&self, size: usize) -> usize {
        let bytes = Self::LIVE_BYTES.min(page_info::free() / 8);
        let most = bytes.checked_div(size).unwrap_or(bytes);
        most.clamp(1, 4096).min(self.count)
    }

    /// Checks before each block if the command should continue.
    ///
    /// # Errors
    ///
    /// - [`EINTR`] if the task has a pending signal.
    /// - [`ENODEV`] if the module is being unloaded.
    /// - [`ETIMEDOUT`] if the command has taken too long.
    pub(crate) fn should_continue(&self) -> Result {
        stay()?;
        if kernel::current!().signal_pending() {
            return Err(EINTR);
        }
        if self.start.elapsed() > Self::LONGEST {
            return Err(ETIMEDOUT);
        }
        Ok(())
    }

    /// Checks if the blocks of `size` bytes that the plan keeps fit into half of the free memory.
    ///
    /// The other half prevents that a program has to be killed for them.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`] if the blocks do not fit.
    pub(crate) fn may_keep(&self, size: usize) -> Result {
        let fits = self.keep.saturating_mul(size) <= page_info::free() / 2;
        fits.then_some(()).ok_or(ENOMEM)
    }
}

/// A flag: the module is being unloaded. Unloading waits for the running commands.
static GOES: Atomic<bool> = Atomic::new(false);

/// Makes all commands end.
pub(crate) fn cancel() {
    GOES.store(true, Relaxed);
}

/// Checks that the module is not being unloaded.
///
/// # Errors
///
/// [`ENODEV`] if it is being unloaded.
pub(crate) fn stay() -> Result {
    match GOES.load(Relaxed) {
        true => Err(ENODEV),
        false => Ok(()),
    }
}

/// A parsed command.
pub(crate) enum Command {
    /// A command that runs workloads.
    Run(&'static [Workload], Plan),
    /// A command that frees the live blocks.
    Free,
}

impl Command {
    /// Parses one line.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if a part of the line is unknown, or a number is out of range.
    pub(crate) fn parse(line: &str) -> Result<Self> {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().ok_or(EINVAL)?;
        if name == "free" {
            return words.next().map_or(Ok(Command::Free), |_| Err(EINVAL));
        }
        let workloads = workload::by_name(name).ok_or(EINVAL)?;

        let (mut count, mut size, mut keep) = (100, 256, 0);
        for word in words {
            let (key, value) = word.split_once('=').ok_or(EINVAL)?;
            let value: usize = value.parse().map_err(|_| EINVAL)?;
            match key {
                "count" => count = value,
                "size" => size = value,
                "keep" => keep = value,
                _ => return Err(EINVAL),
            }
        }
        Ok(Command::Run(workloads, Plan::new(count, size, keep)?))
    }
}
