// SPDX-License-Identifier: GPL-2.0-only

//! The per-CPU counters of a site.

use crate::{
    accounting::size_histogram::SizeBin,
    sys::{
        bindings,
        percpu, //
    }, //
};
use kernel::prelude::*;

/// The counters of a site on one CPU.
#[repr(C)]
#[derive(Zeroable)]
pub(crate) struct Counters {
    /// Allocations of objects whose size is the site's unit.
    unit_allocs: u64,
    /// Frees of objects whose size is the site's unit.
    unit_frees: u64,
    /// Allocations and frees of blocks of any other size, at a site with a unit.
    allocs: u64,
    frees: u64,
    /// Requested bytes of the blocks that are not units: allocated and freed.
    bytes_in: u64,
    bytes_out: u64,
    /// Bytes that those blocks take beyond the requested ones, unless the bucket determines them.
    slack_in: u64,
    slack_out: u64,
    /// Failed allocations, by reason.
    no_memory: u64,
    no_wait: u64,
    invalid: u64,
}

/// The counters of a site without a unit, on one CPU: they also count blocks by size bucket.
///
/// The layout is that of `struct kalloc_counters` in `rust/helpers/percpu.c`.
#[repr(C)]
#[derive(Zeroable)]
pub(crate) struct SizedCounters {
    counters: Counters,
    /// Blocks allocated and freed, by bucket.
    allocs: [u64; SizeBin::COUNT],
    frees: [u64; SizeBin::COUNT],
}

// A 32-bit kernel could tear the read of a counter.
#[cfg(not(CONFIG_64BIT))]
compile_error!("kalloc needs a 64-bit kernel");

const _: () = assert!(
    size_of::<SizedCounters>() == bindings::KALLOC_COUNTERS as usize * size_of::<u64>(),
    "the C declaration has another size"
);

/// Returns true if there is a counter at `offset` into a `T`, which contains only counters.
pub(crate) const fn is_counter<T>(offset: usize) -> bool {
    offset % size_of::<u64>() == 0 && offset < size_of::<T>()
}

/// The offsets of the counters, for [`PerCpuPtr`].
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

    /// The first counter of each array; the arrays have one counter per bucket.
    pub(crate) const SIZED_ALLOCS: usize = offset_of!(SizedCounters, allocs);
    pub(crate) const SIZED_FREES: usize = offset_of!(SizedCounters, frees);
}

/// Returns the counters of unregistered sites, in the per-CPU area of this module.
pub(crate) const fn unregistered() -> *mut Counters {
    (&raw const bindings::kalloc_unregistered).cast_mut().cast()
}

/// A pointer to the counters of a site.
///
/// # Invariants
///
/// The pointer is a per-CPU pointer that is valid while code of the site's module runs. It points
/// to [`SizedCounters`], or to [`Counters`] alone if the site has a unit.
#[derive(Clone, Copy)]
pub(crate) struct PerCpuPtr(*mut Counters);

// SAFETY: A per-CPU pointer is valid on every thread: each CPU adds to its own instance.
unsafe impl Send for PerCpuPtr {}
// SAFETY: A per-CPU pointer is valid on every thread: each CPU adds to its own instance.
unsafe impl Sync for PerCpuPtr {}

impl PerCpuPtr {
    /// Wraps a per-CPU pointer to counters.
    ///
    /// # Safety
    ///
    /// `percpu` must satisfy the type invariants.
    #[inline(always)]
    pub(crate) unsafe fn new(percpu: *mut Counters) -> Self {
        // INVARIANT: `percpu` satisfies the invariants by the requirement of this function.
        PerCpuPtr(percpu)
    }

    /// Adds 1 to this CPU's counter at offset `COUNTER` into [`Counters`].
    #[inline(always)]
    pub(crate) fn count<const COUNTER: usize>(self) {
        const { assert!(is_counter::<Counters>(COUNTER)) };
        // SAFETY: By the type invariants, the pointer is valid and the offset is a counter. Only
        // this type writes counters.
        unsafe { percpu::this_cpu_inc::<_, COUNTER>(self.0) };
    }

    /// Adds `n` to this CPU's counter at offset `COUNTER` into [`Counters`].
    #[inline(always)]
    pub(crate) fn add<const COUNTER: usize>(self, n: u64) {
        const { assert!(is_counter::<Counters>(COUNTER)) };
        // SAFETY: By the type invariants, the pointer is valid and the offset is a counter. Only
        // this type writes counters.
        unsafe { percpu::this_cpu_add::<_, COUNTER>(self.0, n) };
    }

    /// Adds 1 to this CPU's counter for `bucket`, in the array at offset `COUNTER` into
    /// [`SizedCounters`].
    ///
    /// # Safety
    ///
    /// The site must have no unit.
    #[inline(always)]
    pub(crate) unsafe fn count_sized<const COUNTER: usize>(self, bucket: SizeBin) {
        // SAFETY: By the type invariants, the pointer is to `SizedCounters`, because the site has
        // no unit. Each array has a counter for every bucket. Only this type writes counters.
        unsafe { percpu::this_cpu_inc_nth::<_, COUNTER>(self.0, bucket.index()) };
    }

    /// Adds `n` to this CPU's counter for `bucket`, in the array at offset `COUNTER` into
    /// [`SizedCounters`].
    ///
    /// # Safety
    ///
    /// The site must have no unit.
    #[inline(always)]
    pub(crate) unsafe fn add_sized<const COUNTER: usize>(self, bucket: SizeBin, n: u64) {
        let of_bucket = self.0.cast::<u64>().wrapping_add(bucket.index());
        // SAFETY: By the type invariants, the pointer is to `SizedCounters`, because the site has
        // no unit. Each array has a counter for every bucket. Only this type writes counters.
        unsafe { percpu::this_cpu_add::<_, COUNTER>(of_bucket, n) };
    }
}
