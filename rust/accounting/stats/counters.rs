// SPDX-License-Identifier: GPL-2.0

//! What each CPU adds to.

use crate::{
    accounting::size_histogram::SizeBin,
    sys::{
        bindings,
        percpu, //
    }, //
};
use kernel::prelude::*;

/// One CPU's counters of a site.
#[repr(C)]
#[derive(Zeroable)]
pub(crate) struct Counters {
    /// Objects allocated whose size is the site's unit.
    unit_allocs: u64,
    /// Objects freed whose size is the site's unit.
    unit_frees: u64,
    /// Blocks of any other size allocated and freed, at a site that has a unit.
    allocs: u64,
    frees: u64,
    /// Bytes requested for the blocks that are not units, and of those freed.
    bytes_in: u64,
    bytes_out: u64,
    /// What those blocks take beyond what was requested, unless their buckets tell.
    slack_in: u64,
    slack_out: u64,
    /// Allocations that failed, by reason.
    no_memory: u64,
    no_wait: u64,
    invalid: u64,
}

/// One CPU's counters of a site that has no unit: blocks by the bucket of their size, too.
///
/// Laid out as `struct kalloc_counters` in `rust/helpers/percpu.c`.
#[repr(C)]
#[derive(Zeroable)]
pub(crate) struct SizedCounters {
    counters: Counters,
    /// Blocks allocated and freed.
    allocs: [u64; SizeBin::COUNT],
    frees: [u64; SizeBin::COUNT],
}

// A read of half a counter would be wrong.
#[cfg(not(CONFIG_64BIT))]
compile_error!("kalloc needs a 64-bit kernel");

const _: () = assert!(
    size_of::<SizedCounters>() == bindings::KALLOC_COUNTERS as usize * size_of::<u64>(),
    "the C declaration has another size"
);

/// Whether there is a counter at `offset` into a `T`, which has nothing but counters.
pub(crate) const fn is_counter<T>(offset: usize) -> bool {
    offset % size_of::<u64>() == 0 && offset < size_of::<T>()
}

/// The counters by name, for [`PerCpuPtr`].
pub(crate) mod counter {
    use super::{
        Counters,
        SizedCounters, //
    };
    use core::mem::offset_of;

    pub(crate) const UNIT_ALLOCS: usize = offset_of!(Counters, unit_allocs);
    pub(crate) const UNIT_FREES: usize = offset_of!(Counters, unit_frees);
    pub(crate) const ALLOCS: usize = offset_of!(Counters, allocs);
    pub(crate) const FREES: usize = offset_of!(Counters, frees);
    pub(crate) const BYTES_IN: usize = offset_of!(Counters, bytes_in);
    pub(crate) const BYTES_OUT: usize = offset_of!(Counters, bytes_out);
    pub(crate) const SLACK_IN: usize = offset_of!(Counters, slack_in);
    pub(crate) const SLACK_OUT: usize = offset_of!(Counters, slack_out);
    pub(crate) const NO_MEMORY: usize = offset_of!(Counters, no_memory);
    pub(crate) const NO_WAIT: usize = offset_of!(Counters, no_wait);
    pub(crate) const INVALID: usize = offset_of!(Counters, invalid);

    /// The first of an array, by bucket.
    pub(crate) const SIZED_ALLOCS: usize = offset_of!(SizedCounters, allocs);
    pub(crate) const SIZED_FREES: usize = offset_of!(SizedCounters, frees);
}

/// The counters of sites that are not registered, in the per-CPU area of this module.
pub(crate) const fn unregistered() -> *mut Counters {
    (&raw const bindings::kalloc_unregistered).cast_mut().cast()
}

/// The counters of a site.
///
/// # Invariants
///
/// A per-CPU pointer that is valid while code of the site's module runs: of [`SizedCounters`], or of
/// [`Counters`] alone if the site has a unit.
#[derive(Clone, Copy)]
pub(crate) struct PerCpuPtr(*mut Counters);

// SAFETY: A per-CPU pointer is the same on every thread; each adds to its own CPU's instance.
unsafe impl Send for PerCpuPtr {}
// SAFETY: As above.
unsafe impl Sync for PerCpuPtr {}

impl PerCpuPtr {
    /// # Safety
    ///
    /// `percpu` must satisfy the type invariants.
    #[inline(always)]
    pub(crate) unsafe fn new(percpu: *mut Counters) -> Self {
        // INVARIANT: By the requirement of this function.
        PerCpuPtr(percpu)
    }

    /// Adds 1 to this CPU's counter at `COUNTER`, one of [`Counters`]'.
    #[inline(always)]
    pub(crate) fn count<const COUNTER: usize>(self) {
        const { assert!(is_counter::<Counters>(COUNTER)) };
        // SAFETY: By the invariants; nothing else writes counters.
        unsafe { percpu::this_cpu_inc::<_, COUNTER>(self.0) };
    }

    /// Adds `n` to this CPU's counter at `COUNTER`, one of [`Counters`]'.
    #[inline(always)]
    pub(crate) fn add<const COUNTER: usize>(self, n: u64) {
        const { assert!(is_counter::<Counters>(COUNTER)) };
        // SAFETY: By the invariants; nothing else writes counters.
        unsafe { percpu::this_cpu_add::<_, COUNTER>(self.0, n) };
    }

    /// Adds 1 to this CPU's counter for `bucket`, at `COUNTER`, one of the arrays of
    /// [`SizedCounters`].
    ///
    /// # Safety
    ///
    /// The site must have no unit.
    #[inline(always)]
    pub(crate) unsafe fn count_sized<const COUNTER: usize>(self, bucket: SizeBin) {
        // SAFETY: By the invariants, as the site has no unit; an array has a counter for every
        // bucket. Nothing else writes counters.
        unsafe { percpu::this_cpu_inc_nth::<_, COUNTER>(self.0, bucket.index()) };
    }

    /// Adds `n` to this CPU's counter for `bucket`, at `COUNTER`, one of the arrays of
    /// [`SizedCounters`].
    ///
    /// # Safety
    ///
    /// The site must have no unit.
    #[inline(always)]
    pub(crate) unsafe fn add_sized<const COUNTER: usize>(self, bucket: SizeBin, n: u64) {
        let of_bucket = self.0.cast::<u64>().wrapping_add(bucket.index());
        // SAFETY: By the invariants, as the site has no unit; an array has a counter for every
        // bucket. Nothing else writes counters.
        unsafe { percpu::this_cpu_add::<_, COUNTER>(of_bucket, n) };
    }
}
