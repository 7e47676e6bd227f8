// SPDX-License-Identifier: GPL-2.0

//! What a site counts, per CPU, and what a reader makes of it.
//!
//! The counters only ever grow; what is live is a difference. Each CPU adds to its own instance
//! with one instruction that cannot be split, so no lock, no atomic read-modify-write and no
//! shared cache line is on the allocation path, and nothing is lost to preemption, interrupts or
//! CPU hotplug. A block may be freed on another CPU than it was allocated on: one CPU's
//! difference means nothing, only the sum does.
//!
//! # What a reader sees
//!
//! When nobody allocates: exactly what is. While others do, the sums over all CPUs take a moment to
//! add up. [`Totals`] then has all frees from before and from after that moment's allocations were
//! read, and takes them as of the middle, unless they agree, as they mostly do after a few tries. So
//! `live` is off by at most half of what was freed during the read, and never negative: a free is
//! never taken to be more than the allocations.
//!
//! A counter holds 64 bits: at a thousand million events a second it wraps after 584 years.

use crate::{
    bindings,
    percpu, //
};
use core::sync::atomic::{
    fence,
    Ordering, //
};
use kernel::prelude::*;

/// One CPU's counters of a site.
///
/// Laid out as `struct kalloc_counters` in `rust/helpers/percpu.c`.
#[repr(C)]
#[derive(Zeroable)]
pub struct Counters {
    /// Objects allocated whose size is the site's unit.
    unit_allocs: u64,
    /// Objects freed whose size is the site's unit.
    unit_frees: u64,
    /// Blocks of any other size allocated.
    allocs: u64,
    /// Blocks of any other size freed.
    frees: u64,
    /// Bytes requested for the blocks in `allocs`, and of those in `frees`.
    bytes_in: u64,
    bytes_out: u64,
    /// Allocations that failed.
    failures: u64,
    /// What the blocks in `allocs`, and those in `frees`, take beyond what was requested.
    slack_in: u64,
    slack_out: u64,
}

// A read of half a counter would be wrong.
#[cfg(not(CONFIG_64BIT))]
compile_error!("kalloc needs a 64-bit kernel");

const _: () = assert!(size_of::<Counters>() == 9 * size_of::<u64>());

/// The counters by name, for [`add`].
pub(crate) mod counter {
    use super::Counters;
    use core::mem::offset_of;

    pub(crate) const UNIT_ALLOCS: usize = offset_of!(Counters, unit_allocs);
    pub(crate) const UNIT_FREES: usize = offset_of!(Counters, unit_frees);
    pub(crate) const ALLOCS: usize = offset_of!(Counters, allocs);
    pub(crate) const FREES: usize = offset_of!(Counters, frees);
    pub(crate) const BYTES_IN: usize = offset_of!(Counters, bytes_in);
    pub(crate) const BYTES_OUT: usize = offset_of!(Counters, bytes_out);
    pub(crate) const SLACK_IN: usize = offset_of!(Counters, slack_in);
    pub(crate) const SLACK_OUT: usize = offset_of!(Counters, slack_out);
    pub(crate) const FAILURES: usize = offset_of!(Counters, failures);
}

/// The counters of sites that are not registered, in the per-CPU area of this module.
pub(crate) const fn unregistered() -> *mut Counters {
    (&raw const bindings::kalloc_unregistered).cast_mut()
}

/// The counters of a site.
///
/// # Invariants
///
/// A per-CPU cookie of [`Counters`] that is valid while code of the site's module runs.
#[derive(Clone, Copy)]
pub(crate) struct Cookie(*mut Counters);

// SAFETY: A cookie is the same on every thread; each adds to its own CPU's instance.
unsafe impl Send for Cookie {}
// SAFETY: As above.
unsafe impl Sync for Cookie {}

impl Cookie {
    /// # Safety
    ///
    /// `cookie` must satisfy the type invariants.
    #[inline(always)]
    pub(crate) unsafe fn new(cookie: *mut Counters) -> Self {
        // INVARIANT: By the requirement of this function.
        Cookie(cookie)
    }

    /// Adds 1 to this CPU's counter at `COUNTER`, one of [`counter`]'s.
    #[inline(always)]
    pub(crate) fn count<const COUNTER: usize>(self) {
        // SAFETY: By the invariants; nothing else writes counters.
        unsafe { percpu::this_cpu_inc::<_, COUNTER>(self.0) };
    }

    /// Adds `n` to this CPU's counter at `COUNTER`, one of [`counter`]'s.
    #[inline(always)]
    pub(crate) fn add<const COUNTER: usize>(self, n: u64) {
        // SAFETY: By the invariants; nothing else writes counters.
        unsafe { percpu::this_cpu_add::<_, COUNTER>(self.0, n) };
    }
}

/// The sums over all CPUs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Allocations that succeeded.
    pub allocs: u64,
    /// Blocks freed.
    pub frees: u64,
    /// Allocations that failed.
    pub failures: u64,
    /// Bytes requested for the blocks that are live.
    pub live_bytes: u64,
    /// What those blocks take beyond that, where sizes vary: the rest of a size class, of a page.
    pub live_slack: u64,
}

/// The sums of one direction: allocations or frees.
#[derive(Clone, Copy, PartialEq)]
struct Sums {
    units: u64,
    blocks: u64,
    bytes: u64,
    slack: u64,
}

impl Sums {
    /// The middle between two sums, of which `self` is the earlier one, but at most `limit`.
    fn middle(self, later: Sums, limit: Sums) -> Sums {
        let middle = |a: u64, b: u64, limit: u64| (a + (b - a) / 2).min(limit);
        Sums {
            units: middle(self.units, later.units, limit.units),
            blocks: middle(self.blocks, later.blocks, limit.blocks),
            bytes: middle(self.bytes, later.bytes, limit.bytes),
            slack: middle(self.slack, later.slack, limit.slack),
        }
    }
}

impl Totals {
    /// How often a read is repeated to find a moment at which nothing was freed.
    const TRIES: usize = 8;

    /// Adds up the counters of all CPUs for a site whose unit is `unit` bytes.
    ///
    /// # Safety
    ///
    /// `counters` must be a per-CPU cookie of [`Counters`], valid during the call.
    pub(crate) unsafe fn read(counters: *mut Counters, unit: usize) -> Totals {
        let sum = |counter: usize| {
            percpu::possible_cpus().fold(0u64, |sum, cpu| {
                // SAFETY: `cpu` is possible, and the cookie is valid by the requirements of this
                // function.
                let counter: *const u64 = unsafe { percpu::instance(counters, cpu) }
                    .wrapping_byte_add(counter)
                    .cast();
                // SAFETY: The counter is valid and aligned. Its CPU may be writing it: the read
                // is volatile, and an aligned word is not torn.
                sum.wrapping_add(unsafe { counter.read_volatile() })
            })
        };
        let frees = || {
            let sums = Sums {
                units: sum(counter::UNIT_FREES),
                blocks: sum(counter::FREES),
                bytes: sum(counter::BYTES_OUT),
                slack: sum(counter::SLACK_OUT),
            };
            fence(Ordering::SeqCst);
            sums
        };
        let allocs = || {
            let sums = Sums {
                units: sum(counter::UNIT_ALLOCS),
                blocks: sum(counter::ALLOCS),
                bytes: sum(counter::BYTES_IN),
                slack: sum(counter::SLACK_IN),
            };
            fence(Ordering::SeqCst);
            sums
        };

        let mut before = frees();
        let mut tries = 0;
        let (ins, outs) = loop {
            let ins = allocs();
            let after = frees();
            tries += 1;
            if before == after || tries == Self::TRIES {
                break (ins, before.middle(after, ins));
            }
            before = after;
        };

        // CAST: `usize` is at most 64 bits. OVERFLOW: Live bytes fit into memory; counters do not
        // wrap.
        let unit_bytes = (ins.units - outs.units) * unit as u64;
        Totals {
            allocs: ins.units + ins.blocks,
            frees: outs.units + outs.blocks,
            failures: sum(counter::FAILURES),
            live_bytes: unit_bytes + (ins.bytes - outs.bytes),
            live_slack: ins.slack - outs.slack,
        }
    }

    /// Blocks that are allocated and not freed.
    pub fn live(&self) -> u64 {
        self.allocs - self.frees
    }
}
