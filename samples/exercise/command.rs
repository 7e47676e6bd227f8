// SPDX-License-Identifier: GPL-2.0

//! What may be asked for: `WORKLOAD|all [count=N] [size=BYTES] [keep=N]`, or `free`.

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

/// How much a workload does. All within limits that keep any machine well.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Blocks to allocate and free.
    pub(crate) count: usize,
    /// Bytes of a block, where it is not given by a type.
    pub(crate) size: usize,
    /// Blocks to leave live.
    pub(crate) keep: usize,
    /// When it began.
    start: Instant<Monotonic>,
}

impl Plan {
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

    /// The most that a workload allocates in all, in bytes: seconds, not minutes.
    const TOTAL_BYTES: usize = 1 << 30;

    /// The most that a workload has live at a time, in bytes.
    const LIVE_BYTES: usize = 16 << 20;

    /// The most time that a command takes, on machines where the bytes take longer.
    const LONGEST: Delta = Delta::from_secs(30);

    /// The same, whose time begins now.
    pub(crate) fn starting_now(&self) -> Self {
        Plan {
            start: Instant::now(),
            ..*self
        }
    }

    /// How many blocks of `size` bytes to have live at a time: they take an eighth of what is free.
    pub(crate) fn window(&self, size: usize) -> usize {
        let bytes = Self::LIVE_BYTES.min(page_info::free() / 8);
        let most = bytes.checked_div(size).unwrap_or(bytes);
        most.clamp(1, 4096).min(self.count)
    }

    /// Asks before each block whether to go on.
    ///
    /// # Errors
    ///
    /// - [`EINTR`] if there is a signal.
    /// - [`ENODEV`] if the module goes.
    /// - [`ETIMEDOUT`] if it has taken too long.
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

    /// Asks whether as many blocks of `size` bytes as are to be kept can be: they take half of what is
    /// free, so that no other program has to go for them.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`] if they cannot.
    pub(crate) fn may_keep(&self, size: usize) -> Result {
        let fits = self.keep.saturating_mul(size) <= page_info::free() / 2;
        fits.then_some(()).ok_or(ENOMEM)
    }
}

/// Whether the module goes, which waits for the commands that are under way.
static GOES: Atomic<bool> = Atomic::new(false);

/// Has all commands end.
pub(crate) fn cancel() {
    GOES.store(true, Relaxed);
}

/// Asks whether the module stays.
///
/// # Errors
///
/// [`ENODEV`] if it goes.
pub(crate) fn stay() -> Result {
    match GOES.load(Relaxed) {
        true => Err(ENODEV),
        false => Ok(()),
    }
}

/// A command, understood.
pub(crate) enum Command {
    /// Runs workloads.
    Run(&'static [Workload], Plan),
    /// Frees what was left live.
    Free,
}

impl Command {
    /// Understands one line.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if there is anything in it that is not understood, or out of range.
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
