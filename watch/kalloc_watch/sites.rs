// SPDX-License-Identifier: GPL-2.0-only

//! The call sites that allocate, and their counters.
//!
//! A probe adds a site at its first allocation. The number of sites is fixed, because a probe cannot
//! allocate memory.
//!
//! The address of a record is 0 while a probe adds the site.

use crate::view::View;
use core::sync::atomic::{
    AtomicU32,
    AtomicU64,
    AtomicUsize,
    Ordering::{
        Acquire,
        Relaxed,
        Release, //
    }, //
};
use kalloc::{
    prelude::*,
    sys::percpu::{
        Counter,
        Counters, //
    },
    trace, //
};

kalloc::sites! {
    /// The records of the sites.
    pub(crate) Records: kvmalloc([Record]), "watch_sites";
}

/// The counters of a site.
const FIELDS: usize = 32;

/// A counter of a site.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Field {
    /// Frees that other code called, or that only the reuse of the memory revealed.
    Elsewhere,
    /// Allocations for which the table had no place. Their frees are not counted.
    Lost,
    /// Bytes of the allocations that are not lost.
    BytesIn,
    /// Bytes of the frees.
    BytesOut,
    /// The first of the counters of allocations by size.
    Allocs,
    /// The first of the counters of frees by size, of blocks that are not lost.
    Frees = 4 + SIZES,
}

/// The number of size ranges: up to 8 bytes, 16 bytes, and so on; the last has no limit.
pub(crate) const SIZES: usize = (FIELDS - 4) / 2;

/// Returns the range of a size.
#[inline(always)]
fn range_of(size: usize) -> usize {
    // CAST: The logarithm fits.
    ((size.wrapping_sub(1) | 7).ilog2() as usize)
        .wrapping_sub(2)
        .min(SIZES - 1)
}

/// A site.
#[repr(align(64))]
pub(crate) struct Record {
    counters: Counters<FIELDS>,
    /// The return address of the call; [`GONE`] if its code is unloaded.
    address: AtomicUsize,
    /// The kinds of blocks, as bits.
    kinds: AtomicU32,
    /// The size of the last block.
    size: AtomicUsize,
    /// The times of the first and the last allocation.
    first: AtomicU64,
    last: AtomicU64,
    /// The largest numbers of live blocks and bytes that a reader has seen.
    peak: AtomicU64,
    peak_bytes: AtomicU64,
}

/// The address of a site whose code is unloaded, or that another CPU has added.
pub(crate) const GONE: usize = 1;

impl Record {
    fn new() -> Result<Self> {
        Ok(Record {
            // GFP: The module's initialization sleeps.
            counters: Counters::new(GFP_KERNEL)?,
            address: AtomicUsize::new(0),
            kinds: AtomicU32::new(0),
            size: AtomicUsize::new(0),
            first: AtomicU64::new(0),
            last: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
        })
    }

    /// Updates the properties of the last allocation.
    #[inline(always)]
    fn used(&self, size: usize, kind: u32) {
        // Stores only if a value changes keep the cache line shared.
        if self.kinds.load(Relaxed) & kind == 0 {
            self.kinds.fetch_or(kind, Relaxed);
        }
        if self.size.load(Relaxed) != size {
            self.size.store(size, Relaxed);
        }
        let now = trace::ticks();
        if self.last.load(Relaxed) != now {
            self.last.store(now, Relaxed);
        }
    }

    fn clear(&self) {
        self.address.store(0, Relaxed);
        self.kinds.store(0, Relaxed);
        self.size.store(0, Relaxed);
        self.last.store(0, Relaxed);
        self.peak.store(0, Relaxed);
        self.peak_bytes.store(0, Relaxed);
        for counter in 0..FIELDS {
            let sum = self.counters.sum(counter);
            self.counters.add(counter, sum.wrapping_neg());
        }
    }
}

/// A snapshot of a site's counters.
#[derive(Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) allocs: u64,
    pub(crate) frees: u64,
    pub(crate) elsewhere: u64,
    pub(crate) lost: u64,
    pub(crate) bytes: u64,
    pub(crate) size: u64,
    pub(crate) kinds: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) peak: u64,
    pub(crate) peak_bytes: u64,
    /// Allocations and frees by size.
    pub(crate) sizes: [(u64, u64); SIZES],
}

impl Totals {
    /// Returns the number of live blocks, without the lost ones.
    pub(crate) fn live(&self) -> u64 {
        self.allocs
            .saturating_sub(self.frees)
            .saturating_sub(self.lost)
    }

    /// Adds the numbers of another site.
    pub(crate) fn add(&mut self, other: &Totals) {
        self.allocs += other.allocs;
        self.frees += other.frees;
        self.elsewhere += other.elsewhere;
        self.lost += other.lost;
        self.bytes += other.bytes;
        self.size = self.size.max(other.size);
        self.kinds |= other.kinds;
        self.first = match (self.first, other.first) {
            (0, first) | (first, 0) => first,
            (a, b) => a.min(b),
        };
        self.last = self.last.max(other.last);
        self.peak += other.peak;
        self.peak_bytes += other.peak_bytes;
        for (to, from) in self.sizes.iter_mut().zip(other.sizes) {
            *to = (to.0 + from.0, to.1 + from.1);
        }
    }
}

/// The sites.
pub(crate) struct Sites {
    records: KVVec<Record, Records>,
    /// The number of records in use. It may exceed their number.
    next: AtomicUsize,
    /// Allocations of sites for which there was no record.
    unattributed: Counter,
}

impl Sites {
    /// Allocates room for `count` sites, from 128 to 65535.
    pub(crate) fn new(count: usize) -> Result<Self> {
        if !(128..=usize::from(u16::MAX)).contains(&count) {
            return Err(EINVAL);
        }
        // GFP: The module's initialization sleeps.
        let mut records = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            records.push(Record::new()?, GFP_KERNEL)?;
        }
        Ok(Sites {
            records,
            next: AtomicUsize::new(0),
            unattributed: Counter::new(GFP_KERNEL)?,
        })
    }

    /// Returns the number of records in use.
    pub(crate) fn count(&self) -> usize {
        self.next.load(Acquire).min(self.records.len())
    }

    /// Returns the number of records.
    pub(crate) fn capacity(&self) -> usize {
        self.records.len()
    }

    /// Returns the number of allocations without a record.
    pub(crate) fn unattributed(&self) -> u64 {
        self.unattributed.sum()
    }

    /// Removes all sites. No other function may be running.
    pub(crate) fn clear(&self) {
        self.records
            .iter()
            .take(self.count())
            .for_each(Record::clear);
        self.next.store(0, Release);
    }

    /// Returns the site of a call, which is added if it is new.
    #[inline(always)]
    pub(crate) fn find(&self, view: &View, address: usize) -> Option<u16> {
        view.find(address).or_else(|| self.insert(view, address))
    }

    /// Adds a site.
    #[cold]
    #[inline(never)]
    fn insert(&self, view: &View, address: usize) -> Option<u16> {
        let at = match self.next.load(Relaxed) < self.records.len() {
            true => self.next.fetch_add(1, Relaxed),
            false => usize::MAX,
        };
        let Some(record) = self.records.get(at) else {
            self.unattributed.inc();
            return None;
        };
        record.first.store(trace::ticks(), Relaxed);
        // CAST: The number of records fits.
        let site = view.insert(address, at as u16);
        // Another CPU may have been first. The record then stays unused.
        let is_own = site == Some(at as u16);
        record
            .address
            .store(if is_own { address } else { GONE }, Release);
        site
    }

    /// Returns the record of a site.
    #[inline(always)]
    fn record(&self, site: u16) -> Option<&Record> {
        self.records.get(usize::from(site))
    }

    /// Returns the return address of a site's call, [`GONE`], or 0 while the site is added.
    pub(crate) fn address(&self, site: u16) -> usize {
        self.record(site)
            .map_or(GONE, |record| record.address.load(Acquire))
    }

    /// Changes the return address of a site's call.
    pub(crate) fn set_address(&self, site: u16, address: usize) {
        if let Some(record) = self.record(site) {
            record.address.store(address, Release);
        }
    }

    /// Counts an allocation whose block is in the table.
    #[inline(always)]
    pub(crate) fn allocated(&self, site: u16, size: usize, kind: u32) {
        if let Some(record) = self.record(site) {
            record.used(size, kind);
            record.counters.inc(Field::Allocs as usize + range_of(size));
            // CAST: `usize` has 64 bits.
            record.counters.add(Field::BytesIn as usize, size as u64);
        }
    }

    /// Counts allocations whose blocks are not in the table.
    pub(crate) fn lost(&self, site: u16, size: usize, kind: u32, count: usize) {
        if let Some(record) = self.record(site) {
            record.used(size, kind);
            // CAST: `usize` has 64 bits.
            let count = count as u64;
            // Lost blocks first: a reader between the two must not see more live blocks than there are.
            record.counters.add(Field::Lost as usize, count);
            record
                .counters
                .add(Field::Allocs as usize + range_of(size), count);
        }
    }

    /// Counts allocations for whose sites there is no record.
    pub(crate) fn add_unattributed(&self, count: usize) {
        // CAST: `usize` has 64 bits.
        self.unattributed.add(count as u64);
    }

    /// Counts a free.
    #[inline(always)]
    pub(crate) fn freed(&self, site: u16, size: usize, elsewhere: bool) {
        let Some(record) = self.record(site) else {
            return;
        };
        let counters = &record.counters;
        counters.inc(Field::Frees as usize + range_of(size));
        // CAST: `usize` has 64 bits.
        counters.add(Field::BytesOut as usize, size as u64);
        if elsewhere {
            counters.inc(Field::Elsewhere as usize);
        }
    }

    /// Returns the counters of a site.
    pub(crate) fn totals(&self, site: u16) -> Totals {
        let Some(record) = self.record(site) else {
            return Totals::default();
        };
        let sum = |field: usize| record.counters.sum(field);
        // Frees are read first, because each follows its allocation.
        let mut sizes = [(0, 0); SIZES];
        for (range, (_, frees)) in sizes.iter_mut().enumerate() {
            *frees = sum(Field::Frees as usize + range);
        }
        let out = sum(Field::BytesOut as usize);
        core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
        for (range, (allocs, _)) in sizes.iter_mut().enumerate() {
            *allocs = sum(Field::Allocs as usize + range);
        }
        let mut totals = Totals {
            allocs: sizes.iter().map(|(allocs, _)| allocs).sum(),
            frees: sizes.iter().map(|(_, frees)| frees).sum(),
            elsewhere: sum(Field::Elsewhere as usize),
            lost: sum(Field::Lost as usize),
            bytes: sum(Field::BytesIn as usize).saturating_sub(out),
            // CAST: `usize` has 64 bits.
            size: record.size.load(Relaxed) as u64,
            kinds: record.kinds.load(Relaxed),
            first: record.first.load(Relaxed),
            last: record.last.load(Relaxed),
            peak: 0,
            peak_bytes: 0,
            sizes,
        };
        let highest = |of: &AtomicU64, now: u64| of.fetch_max(now, Relaxed).max(now);
        totals.peak = highest(&record.peak, totals.live());
        totals.peak_bytes = highest(&record.peak_bytes, totals.bytes);
        totals
    }
}
