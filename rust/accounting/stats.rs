// SPDX-License-Identifier: GPL-2.0-only

//! The counters of a site: one set per CPU, and the sums that a reader computes.
//!
//! The counters only grow; the number of live objects is a difference. Each CPU adds to its own
//! instance in one indivisible step (one instruction on x86_64). The allocation path therefore
//! takes no lock and writes no shared cache line. On x86_64, it needs no atomic read-modify-write.
//! Preemption, interrupts and CPU hotplug lose no count. A block may be freed on another CPU than
//! the one that allocated it, so only the sum over all CPUs has a meaning.
//!
//! # Consistency
//!
//! While no CPU allocates or frees, a read is exact. Otherwise the sums change while it adds them
//! up. A read of [`Totals`] adds up the frees, then the allocations, then the frees again. If both
//! sums of frees are equal, it uses that sum; otherwise it retries. After `Totals::TRIES` attempts,
//! it uses the midpoint of the two sums. `live` is therefore off by at most half of the frees
//! during the read. It is never negative, because the sum of frees is limited to that of the
//! allocations. Where a CPU's writes may become visible to other CPUs in another order (arm64), a
//! reader can see a free before its allocation; the limit excludes such a free.
//!
//! A counter has 64 bits: at 10^9 events per second it wraps after 584 years. A byte counter wraps
//! sooner: at 10^6 blocks of 4 MiB per second after 51 days. Byte counters are exposed only as
//! differences, which remain correct when they wrap.

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

/// The interpretation of a site's counters.
#[derive(Clone, Copy)]
pub(crate) struct Scheme {
    /// The size of every object, or 0 if it varies.
    pub(crate) unit: usize,
    /// The bytes that an object of that size takes.
    pub(crate) unit_footprint: u64,
    /// The bytes that a block of a size takes, if they are equal for all sizes of a bucket.
    pub(crate) class_size: Option<fn(usize) -> usize>,
    /// Additional counters of units.
    pub(crate) static_counters: Option<&'static StaticCounters>,
}

/// The sums of a site's counters over all CPUs.
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
    /// Successful allocations.
    pub allocs: u64,
    /// Blocks freed.
    pub frees: u64,
    /// Failed allocations.
    pub failures: Failures,
    /// Requested bytes of the live blocks.
    pub live_bytes: u64,
    /// Bytes that the live blocks take: whole size classes, slots of slabs, or pages.
    pub live_allocated: u64,
}

/// Failed allocations, by reason.
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
/// // The reason is not a lack of memory.
/// assert_eq!(
///     (failures.invalid, failures.no_memory, failures.no_wait),
///     (1, 0, 0)
/// );
/// assert_eq!(failures.total(), 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// No memory was available, although the caller allowed sleeping (`ENOMEM`).
    pub no_memory: u64,
    /// No memory was available at once, and the caller did not allow sleeping (`ENOMEM`).
    pub no_wait: u64,
    /// The request cannot be satisfied: the size is too large, the node does not exist, or the
    /// context does not allow it. The kernel's allocator was not called.
    pub invalid: u64,
}

impl Failures {
    /// Adds the counters of one CPU, which may be counting concurrently.
    ///
    /// # Safety
    ///
    /// `at` must point to a site's counters.
    unsafe fn add(&mut self, at: *const Counters) {
        // SAFETY: The counters are valid and aligned by the requirements of this function. Their
        // CPU may be writing them: the read is volatile, and an aligned word is not torn.
        let read = |offset: usize| unsafe { at.byte_add(offset).cast::<u64>().read_volatile() };
        self.no_memory += read(counter::NO_MEMORY);
        self.no_wait += read(counter::NO_WAIT);
        self.invalid += read(counter::INVALID);
    }

    /// Returns the sum over all reasons, or `u64::MAX` if it exceeds 64 bits.
    pub fn total(&self) -> u64 {
        self.no_memory
            .saturating_add(self.no_wait)
            .saturating_add(self.invalid)
    }
}

/// The sums of one direction: allocations or frees. Sums of bytes may have wrapped.
#[derive(Clone, Copy, Default, PartialEq)]
struct Sums {
    units: u64,
    blocks: u64,
    bytes: u64,
    footprint: u64,
}

impl Sums {
    /// Adds one CPU's counters: of frees if `OUT`, else of allocations. The CPU may be counting
    /// concurrently.
    ///
    /// # Safety
    ///
    /// `at` must point to the counters of a site with that scheme.
    #[inline(always)]
    unsafe fn add<const OUT: bool>(&mut self, at: *const Counters, scheme: &Scheme) {
        let pick = |ins, outs| if OUT { outs } else { ins };
        // SAFETY: The counters are valid and aligned by the requirements of this function. Their
        // CPU may be writing them: the read is volatile, and an aligned word is not torn.
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

    /// Adds one CPU's instance of the additional counters of units, in the same way.
    #[inline(always)]
    fn add_units<const OUT: bool>(&mut self, counters: &'static StaticCounters, cpu: i32) {
        let counter = if OUT {
            counter::UNIT_FREES
        } else {
            counter::UNIT_ALLOCS
        };
        // SAFETY: The counters are in the static per-CPU memory of a module that is loaded. The CPU
        // is possible, and may be writing them: the read is volatile, and an aligned word is not
        // torn.
        self.units += unsafe {
            percpu::instance(counters.percpu_ptr(), cpu)
                .byte_add(counter)
                .cast::<u64>()
                .read_volatile()
        };
    }

    /// Returns the midpoint of two sums, of which `self` is the earlier one, limited to `limit`.
    fn middle(self, later: Sums, limit: Sums) -> Sums {
        let middle = |a: u64, b: u64, limit: u64| {
            // CAST: The difference is negative if the reader saw more frees than allocations.
            let (half, most) = (b.wrapping_sub(a) / 2, limit.wrapping_sub(a) as i64);
            // CAST: Half of the frees during the read fit into 63 bits.
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
    /// The number of attempts to read at a moment without frees.
    const TRIES: usize = 8;

    /// Adds up the counters of all CPUs.
    ///
    /// # Safety
    ///
    /// `counters` must satisfy the invariants of [`PerCpuPtr`] for a site with that scheme, and be
    /// valid during the call.
    pub(crate) unsafe fn read(counters: *mut Counters, scheme: &Scheme) -> Totals {
        let frees = || {
            let mut sums = Sums::default();
            for cpu in percpu::possible_cpus() {
                // SAFETY: `cpu` is possible. `counters` are valid and suit `scheme` by the
                // requirements of this function.
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
                // SAFETY: `cpu` is possible. `counters` are valid and suit `scheme` by the
                // requirements of this function.
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

        // OVERFLOW: Event counters do not wrap, and `middle` limits the frees to the allocations.
        let units = ins.units - outs.units;
        // CAST: `usize` has at most 64 bits. The result may wrap for an unregistered site: all such
        // sites share one set of counters, and each applies its own unit to the objects of all.
        // Otherwise live bytes fit into memory.
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
            // The two counters are updated one after the other.
            live_allocated: live_allocated.max(live_bytes),
        }
    }

    /// Returns the bytes that the live blocks take beyond the requested bytes: internal
    /// fragmentation.
    ///
    /// Returns 0 if [`live_bytes`](Self::live_bytes) is larger than
    /// [`live_allocated`](Self::live_allocated), which no read of a site returns.
    pub fn live_slack(&self) -> u64 {
        self.live_allocated.saturating_sub(self.live_bytes)
    }

    /// Returns the number of live blocks: allocated and not freed.
    ///
    /// Returns 0 if [`frees`](Self::frees) is larger than [`allocs`](Self::allocs), which no read
    /// of a site returns.
    pub fn live(&self) -> u64 {
        self.allocs.saturating_sub(self.frees)
    }
}
