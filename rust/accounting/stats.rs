// SPDX-License-Identifier: GPL-2.0

//! What a site counts, per CPU, and what a reader makes of it.
//!
//! The counters only ever grow; what is live is a difference. Each CPU adds to its own instance
//! in one step that cannot be split (an instruction on x86_64), so no lock, no shared cache line and
//! on x86_64 no atomic read-modify-write is on the allocation path, and nothing is lost to
//! preemption, interrupts or CPU hotplug. A block may be freed on another CPU than it was allocated on: one CPU's
//! difference means nothing, only the sum does.
//!
//! # What a reader sees
//!
//! When nobody allocates: exactly what is. While others do, the sums over all CPUs take a moment to
//! add up. [`Totals`] then has all frees from before and from after that moment's allocations were
//! read, and takes them as of the middle, unless they agree, as they mostly do after a few tries. So
//! `live` is off by at most half of what was freed during the read, and never negative: a free is
//! never taken to be more than the allocations. A machine that may show one CPU's writes to others in
//! another order (arm64) can show a free before its allocation; such a free is not taken yet.
//!
//! A counter holds 64 bits: at a thousand million events a second it wraps after 584 years. One of bytes
//! wraps sooner, at a million blocks of 4 MiB a second after 51 days. Of bytes only differences are told,
//! which stay right.

mod counters;
mod on_cpu;
mod sizes;

pub use self::{
    on_cpu::OnCpu,
    sizes::Sizes, //
};

pub(crate) use self::{
    counters::{
        counter,
        is_counter,
        unregistered, //
        Counters,
        PerCpuPtr,
        SizedCounters,
    },
    on_cpu::on_cpus,
    sizes::sizes, //
};

use crate::{
    accounting::{
        size_histogram::SizeBin,
        static_counters::StaticCounters, //
    },
    sys::percpu, //
};
use core::sync::atomic::{
    fence,
    Ordering, //
};
use kernel::prelude::*;

/// What a site's counters are to be read as.
#[derive(Clone, Copy)]
pub(crate) struct Scheme {
    /// The size of every object, or 0 if it varies.
    pub(crate) unit: usize,
    /// How many bytes an object of that size takes.
    pub(crate) unit_footprint: u64,
    /// How many bytes a block of a size takes, where that is the same for all sizes of a bucket.
    pub(crate) class_size: Option<fn(usize) -> usize>,
    /// More counters of units.
    pub(crate) static_counters: Option<&'static StaticCounters>,
}

/// The sums over all CPUs.
///
/// # Examples
///
/// ```
/// use kalloc::{Array, Kmalloc, Tag};
///
/// kalloc::sites! {
///     Names: kmalloc([u8]), "doc_totals";
/// }
///
/// let name = Array::<u8, Kmalloc<Names>>::zeroed(100, GFP_KERNEL)?;
/// let totals = Names::site().totals();
/// assert_eq!((totals.allocs, totals.frees, totals.live()), (1, 0, 1));
/// assert_eq!((totals.live_bytes, totals.live_allocated), (100, 128));
/// assert_eq!(totals.live_slack(), 28);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Allocations that succeeded.
    pub allocs: u64,
    /// Blocks freed.
    pub frees: u64,
    /// Allocations that failed.
    pub failures: Failures,
    /// Bytes requested for the blocks that are live.
    pub live_bytes: u64,
    /// Bytes that those blocks take: with the rest of a size class, of a slab's slot, of a page.
    pub live_allocated: u64,
}

/// Allocations that failed, by reason.
///
/// # Examples
///
/// ```
/// use kalloc::{alloc::kmalloc::MAX_SIZE, Array, Kmalloc, Tag};
///
/// kalloc::sites! {
///     Names: kmalloc([u8]), "doc_failures";
/// }
///
/// assert!(Array::<u8, Kmalloc<Names>>::zeroed(MAX_SIZE + 1, GFP_KERNEL).is_err());
/// let failures = Names::site().totals().failures;
/// // Not for want of memory.
/// assert_eq!(
///     (failures.invalid, failures.no_memory, failures.no_wait),
///     (1, 0, 0)
/// );
/// assert_eq!(failures.total(), 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// There was no memory, although the caller might sleep (`ENOMEM`).
    pub no_memory: u64,
    /// There was none at hand, and the caller could not wait (`ENOMEM`).
    pub no_wait: u64,
    /// No such block can be: too large, on a node that is not there, not from this context. The
    /// kernel's allocator was not asked.
    pub invalid: u64,
}

impl Failures {
    /// Adds one CPU's counters, which may be growing.
    ///
    /// # Safety
    ///
    /// `at` must point to a site's counters.
    unsafe fn add(&mut self, at: *const Counters) {
        // SAFETY: By the requirements of this function; for volatile, see `Sums::add`.
        let read = |offset: usize| unsafe { at.byte_add(offset).cast::<u64>().read_volatile() };
        self.no_memory += read(counter::NO_MEMORY);
        self.no_wait += read(counter::NO_WAIT);
        self.invalid += read(counter::INVALID);
    }

    /// Returns the sum of all reasons, or `u64::MAX` if it has more than 64 bits.
    pub fn total(&self) -> u64 {
        self.no_memory
            .saturating_add(self.no_wait)
            .saturating_add(self.invalid)
    }
}

/// The sums of one direction: allocations or frees. Those of bytes may have wrapped.
#[derive(Clone, Copy, Default, PartialEq)]
struct Sums {
    units: u64,
    blocks: u64,
    bytes: u64,
    footprint: u64,
}

impl Sums {
    /// Adds one CPU's counters of allocations, or if `OUT` of frees. They may be growing.
    ///
    /// # Safety
    ///
    /// `at` must point to counters of a site with that scheme.
    #[inline(always)]
    unsafe fn add<const OUT: bool>(&mut self, at: *const Counters, scheme: &Scheme) {
        let pick = |ins, outs| if OUT { outs } else { ins };
        // SAFETY: The counters are valid and aligned. Their CPU may be writing them: the read is
        // volatile, and an aligned word is not torn.
        let read = |offset: usize| unsafe { at.byte_add(offset).cast::<u64>().read_volatile() };

        let bytes = read(pick(counter::BYTES_IN, counter::BYTES_OUT));
        self.units += read(pick(counter::UNIT_ALLOCS, counter::UNIT_FREES));
        self.blocks += read(pick(counter::ALLOCS, counter::FREES));
        self.bytes = self.bytes.wrapping_add(bytes);
        let mut footprint = read(pick(counter::SLACK_IN, counter::SLACK_OUT));
        if scheme.unit != 0 || scheme.class_size.is_none() {
            footprint = footprint.wrapping_add(bytes);
        }
        self.footprint = self.footprint.wrapping_add(footprint);
        if scheme.unit != 0 {
            return;
        }
        let sized = pick(counter::SIZED_ALLOCS, counter::SIZED_FREES);
        for bucket in SizeBin::all() {
            let blocks = read(sized + bucket.index() * size_of::<u64>());
            if blocks != 0 {
                self.blocks += blocks;
                if let Some(class_size) = scheme.class_size {
                    let bytes = blocks.wrapping_mul(class_size(bucket.up_to()) as u64);
                    self.footprint = self.footprint.wrapping_add(bytes);
                }
            }
        }
    }

    /// Adds one CPU's instance of more counters of units, likewise.
    #[inline(always)]
    fn add_units<const OUT: bool>(&mut self, counters: &'static StaticCounters, cpu: i32) {
        let counter = if OUT {
            counter::UNIT_FREES
        } else {
            counter::UNIT_ALLOCS
        };
        // SAFETY: The counters are in a module's static per-CPU memory, and the module is there. The
        // CPU is possible. For volatile, see above.
        self.units += unsafe {
            percpu::instance(counters.percpu_ptr(), cpu)
                .byte_add(counter)
                .cast::<u64>()
                .read_volatile()
        };
    }

    /// The middle between two sums, of which `self` is the earlier one, but at most `limit`.
    fn middle(self, later: Sums, limit: Sums) -> Sums {
        let middle = |a: u64, b: u64, limit: u64| {
            // CAST: Negative where more is freed than allocated, see above.
            let (half, most) = (b.wrapping_sub(a) / 2, limit.wrapping_sub(a) as i64);
            // CAST: Half of what is freed meanwhile is not that much.
            a.wrapping_add_signed((half as i64).min(most))
        };
        Sums {
            units: middle(self.units, later.units, limit.units),
            blocks: middle(self.blocks, later.blocks, limit.blocks),
            bytes: middle(self.bytes, later.bytes, limit.bytes),
            footprint: middle(self.footprint, later.footprint, limit.footprint),
        }
    }
}

impl Totals {
    /// How often a read is repeated to find a moment at which nothing was freed.
    const TRIES: usize = 8;

    /// Adds up the counters of all CPUs.
    ///
    /// # Safety
    ///
    /// `counters` must be as for [`PerCpuPtr`], valid during the call, and of a site with that scheme.
    pub(crate) unsafe fn read(counters: *mut Counters, scheme: &Scheme) -> Totals {
        let frees = || {
            let mut sums = Sums::default();
            for cpu in percpu::possible_cpus() {
                // SAFETY: `cpu` is possible; the rest is by the requirements of this function.
                unsafe { sums.add::<true>(percpu::instance(counters, cpu), scheme) };
                if let Some(units) = scheme.static_counters {
                    sums.add_units::<true>(units, cpu);
                }
            }
            fence(Ordering::SeqCst);
            sums
        };
        let allocs = || {
            let (mut sums, mut failures) = (Sums::default(), Failures::default());
            for cpu in percpu::possible_cpus() {
                // SAFETY: As above.
                unsafe {
                    let at = percpu::instance(counters, cpu);
                    sums.add::<false>(at, scheme);
                    failures.add(at);
                }
                if let Some(units) = scheme.static_counters {
                    sums.add_units::<false>(units, cpu);
                }
            }
            fence(Ordering::SeqCst);
            (sums, failures)
        };

        let mut before = frees();
        let mut tries = 0;
        let (ins, outs, failures) = loop {
            let (ins, failures) = allocs();
            let after = frees();
            tries += 1;
            if before == after || tries == Self::TRIES {
                break (ins, before.middle(after, ins), failures);
            }
            before = after;
        };

        // OVERFLOW: Counters of events do not wrap.
        let units = ins.units - outs.units;
        // CAST: `usize` is at most 64 bits. It may wrap at a site that is not registered, which has the
        // counters of all those, and makes of others' objects its own; else live bytes fit into memory.
        let bytes = |unit: u64, ins: u64, outs: u64| {
            units
                .wrapping_mul(unit)
                .wrapping_add(ins)
                .wrapping_sub(outs)
        };
        let live_bytes = bytes(scheme.unit as u64, ins.bytes, outs.bytes);
        let live_allocated = bytes(scheme.unit_footprint, ins.footprint, outs.footprint);
        Totals {
            allocs: ins.units + ins.blocks,
            frees: outs.units + outs.blocks,
            failures,
            live_bytes,
            // They are counted one after the other.
            live_allocated: live_allocated.max(live_bytes),
        }
    }

    /// Returns what the live blocks take beyond what was requested for them: internal fragmentation.
    /// 0 if [`live_bytes`](Self::live_bytes) is the larger number, which a site never reads.
    pub fn live_slack(&self) -> u64 {
        self.live_allocated.saturating_sub(self.live_bytes)
    }

    /// Returns how many blocks are allocated and not freed. 0 if [`frees`](Self::frees) is the larger
    /// number, which a site never reads.
    pub fn live(&self) -> u64 {
        self.allocs.saturating_sub(self.frees)
    }
}
