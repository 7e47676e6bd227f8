// SPDX-License-Identifier: GPL-2.0-only

//! The watched code, as probes see it: ranges of addresses, and an index of the known call sites.
//!
//! A view does not change, except that probes add sites to its index. A change of what is watched
//! replaces the view.

use core::{
    ops::Range,
    sync::atomic::{
        AtomicPtr,
        AtomicU64,
        Ordering::{
            AcqRel,
            Acquire, //
        }, //
    }, //
};
use kalloc::{
    prelude::*,
    trace, //
};

kalloc::sites! {
    /// Views.
    pub(crate) Views: kmalloc(View), "watch_views";
    /// The watched ranges.
    pub(crate) Ranges: kmalloc([Range<usize>]), "watch_ranges";
    /// The indices of sites.
    pub(crate) Index: kvmalloc([AtomicU64]), "watch_index";
}

/// A view.
pub(crate) struct View {
    /// A range around all ranges.
    around: Range<usize>,
    /// The ranges; none if there is only one, which is that around all.
    ranges: KVec<Range<usize>, Ranges>,
    /// A hash table of known calls, at most half full; 0 is an empty place.
    index: KVVec<AtomicU64, Index>,
}

/// An entry of the index: the lowest 48 bits of the return address, above the number of the site
/// plus 1. The highest bits of all addresses of code are the same.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry(u64);

impl Entry {
    #[inline(always)]
    fn new(address: usize, site: u16) -> Self {
        // CAST: `usize` has 64 bits.
        Entry((address as u64) << 16 | u64::from(site) + 1)
    }

    /// Returns the site, if the entry is that of `address`.
    #[inline(always)]
    fn site_of(self, address: usize) -> Option<u16> {
        // CAST: `usize` has 64 bits. The number of the site has 16.
        let rest = self.0 ^ (address as u64) << 16;
        (rest < 1 << 16).then_some(rest.wrapping_sub(1) as u16)
    }
}

impl View {
    /// Creates a view of ranges, with an index for `capacity` sites.
    pub(crate) fn new(mut ranges: KVec<Range<usize>, Ranges>, capacity: usize) -> Result<Self> {
        let places = (2 * capacity).next_power_of_two();
        // GFP: The watched code changes in process context.
        let mut index = KVVec::with_capacity(places, GFP_KERNEL)?;
        for _ in 0..places {
            index.push(AtomicU64::new(0), GFP_KERNEL)?;
        }
        let start = ranges.iter().map(|range| range.start).min().unwrap_or(0);
        let end = ranges.iter().map(|range| range.end).max().unwrap_or(0);
        if ranges.len() == 1 {
            ranges.clear();
        }
        Ok(View {
            around: start..end,
            ranges,
            index,
        })
    }

    /// Returns true if an address is in watched code.
    #[inline(always)]
    pub(crate) fn has(&self, address: usize) -> bool {
        self.around.contains(&address)
            && (self.ranges.is_empty() || self.ranges.iter().any(|range| range.contains(&address)))
    }

    /// Returns the first place of a call, to which a mask applies.
    #[inline(always)]
    fn first(address: usize) -> usize {
        // CAST: The number of places is less than 2^24.
        ((address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize
    }

    /// Returns the site of a call.
    #[inline(always)]
    pub(crate) fn find(&self, address: usize) -> Option<u16> {
        let mask = self.index.len().wrapping_sub(1);
        let mut at = Self::first(address);
        // The index has empty places.
        loop {
            let entry = Entry(self.index.get(at & mask)?.load(Acquire));
            if let Some(site) = entry.site_of(address) {
                return Some(site);
            }
            if entry.0 == 0 {
                return None;
            }
            at = at.wrapping_add(1);
        }
    }

    /// Adds the site of a call, unless another CPU has added one. Returns the site in the index, or
    /// `None` if the index is full.
    pub(crate) fn insert(&self, address: usize, site: u16) -> Option<u16> {
        let mask = self.index.len().wrapping_sub(1);
        let first = Self::first(address);
        for at in 0..self.index.len() {
            let place = self.index.get(first.wrapping_add(at) & mask)?;
            let new = Entry::new(address, site);
            match place.compare_exchange(0, new.0, AcqRel, Acquire) {
                Ok(_) => return Some(site),
                Err(other) => {
                    if let Some(site) = Entry(other).site_of(address) {
                        return Some(site);
                    }
                }
            }
        }
        None
    }
}

/// The current view.
///
/// # Invariants
///
/// The pointer is NULL or a `View` from [`KBox::into_raw`].
pub(crate) struct CurrentView(AtomicPtr<View>);

impl CurrentView {
    /// Nothing is watched.
    pub(crate) const fn none() -> Self {
        // INVARIANT: The pointer is NULL.
        CurrentView(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// Returns the view.
    ///
    /// # Safety
    ///
    /// The caller must be a probe, and must not use the view after its return.
    #[inline(always)]
    pub(crate) unsafe fn get(&self) -> Option<&View> {
        // SAFETY: By the type invariants, the pointer is NULL or a view. `set` frees it after all
        // probes that may have loaded the pointer have returned.
        unsafe { self.0.load(Acquire).as_ref() }
    }

    /// Replaces the view, and waits until no probe uses the old one.
    pub(crate) fn set(&self, view: Option<KBox<View, Views>>) {
        let new = view.map_or(core::ptr::null_mut(), KBox::into_raw);
        // INVARIANT: The pointer is NULL or from `into_raw`.
        let old = self.0.swap(new, AcqRel);
        if old.is_null() {
            return;
        }
        // SAFETY: The list's mutex is held, or the module is unloaded: this may sleep.
        unsafe { trace::synchronize() };
        // SAFETY: By the type invariants, the pointer is from `into_raw`. No probe uses it any
        // more, and it is no longer the current one.
        drop(unsafe { KBox::<View, Views>::from_raw(old) });
    }
}

impl Drop for CurrentView {
    fn drop(&mut self) {
        self.set(None);
    }
}
