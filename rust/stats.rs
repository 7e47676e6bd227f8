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
//! A [site's totals](crate::Site::totals) add up all frees before all allocations. A block is counted as allocated
//! before its owner exists, and as freed by that owner, so that every free that is seen was
//! counted as an allocation earlier: the sums never show more frees than allocations. While
//! others allocate, the sums are of a moment within the read; when all is quiet, they are exact.
//! A counter holds 64 bits: at a thousand million events a second it wraps after 584 years.

use crate::bindings;
use crate::percpu;
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

/// Adds `n` to this CPU's counter at `COUNTER`, one of [`counter`]'s.
///
/// # Safety
///
/// `counters` must be a per-CPU cookie of [`Counters`].
#[inline(always)]
pub(crate) unsafe fn add<const COUNTER: usize>(counters: *mut Counters, n: u64) {
    // SAFETY: By the requirements of this function; nothing else writes counters.
    unsafe { percpu::this_cpu_add::<_, COUNTER>(counters, n) };
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

impl Totals {
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

        let unit_frees = sum(counter::UNIT_FREES);
        let frees = sum(counter::FREES);
        let bytes_out = sum(counter::BYTES_OUT);
        let slack_out = sum(counter::SLACK_OUT);
        // Orders the frees read above before the allocations read below.
        fence(Ordering::Acquire);
        let unit_allocs = sum(counter::UNIT_ALLOCS);
        let allocs = sum(counter::ALLOCS);
        let bytes_in = sum(counter::BYTES_IN);
        let slack_in = sum(counter::SLACK_IN);

        // CAST: `usize` is at most 64 bits.
        let unit_bytes = unit_allocs.saturating_sub(unit_frees) * unit as u64;
        Totals {
            allocs: unit_allocs + allocs,
            frees: unit_frees + frees,
            failures: sum(counter::FAILURES),
            live_bytes: unit_bytes + bytes_in.saturating_sub(bytes_out),
            live_slack: slack_in.saturating_sub(slack_out),
        }
    }

    /// Blocks that are allocated and not freed.
    pub fn live(&self) -> u64 {
        // A site that was registered late may have freed what it did not count as allocated.
        self.allocs.saturating_sub(self.frees)
    }
}
