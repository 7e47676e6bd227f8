// SPDX-License-Identifier: GPL-2.0-only

//! The watched code, as probes see it: ranges of addresses, and an index of the known call sites.
//!
//! A view does not change, except that probes add sites to its index. A change of what is watched
//! replaces the view.

use core::{
    ops::Range,
    sync::atomic::{
        AtomicPtr,
        AtomicU32,
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
    pub(crate) Index: kvmalloc([AtomicU32]), "watch_index";
}

/// A view.
pub(crate) struct View {
    /// A range around all ranges.
    around: Range<usize>,
    ranges: KVec<Range<usize>, Ranges>,
    /// A hash table of site numbers plus 1, at most half full; 0 is an empty place.
    index: KVVec<AtomicU32, Index>,
}

impl View {
    /// Creates a view of ranges, with an index for `capacity` sites.
    pub(crate) fn new(ranges: KVec<Range<usize>, Ranges>, capacity: usize) -> Result<Self> {
        let places = (2 * capacity).next_power_of_two();
        // GFP: The watched code changes in process context.
        let mut index = KVVec::with_capacity(places, GFP_KERNEL)?;
        for _ in 0..places {
            index.push(AtomicU32::new(0), GFP_KERNEL)?;
        }
        let start = ranges.iter().map(|range| range.start).min().unwrap_or(0);
        let end = ranges.iter().map(|range| range.end).max().unwrap_or(0);
        Ok(View {
            around: start..end,
            ranges,
            index,
        })
    }

    /// Returns true if an address is in watched code.
    #[inline(always)]
    pub(crate) fn has(&self, address: usize) -> bool {
        self.around.contains(&address) && self.ranges.iter().any(|range| range.contains(&address))
    }

    /// Returns the first place of a site, to which a mask applies.
    #[inline(always)]
    fn first(address: usize) -> usize {
        // CAST: The number of places is less than 2^24.
        ((address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize
    }

    /// Returns the site of a call, given the test whether a site is that of `address`.
    #[inline(always)]
    pub(crate) fn find(&self, address: usize, is_it: impl Fn(u16) -> bool) -> Option<u16> {
        let mask = self.index.len().wrapping_sub(1);
        let mut at = Self::first(address);
        // The index has empty places.
        loop {
            // CAST: Site numbers have 16 bits.
            let site = self.index.get(at & mask)?.load(Acquire).checked_sub(1)? as u16;
            if is_it(site) {
                return Some(site);
            }
            at = at.wrapping_add(1);
        }
    }

    /// Adds the site of a call at `address`, unless another CPU has added one. Returns the site in
    /// the index, or `None` if the index is full.
    pub(crate) fn insert(
        &self,
        address: usize,
        site: u16,
        is_it: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        let mask = self.index.len().wrapping_sub(1);
        let first = Self::first(address);
        for at in 0..self.index.len() {
            let place = self.index.get(first.wrapping_add(at) & mask)?;
            let new = u32::from(site) + 1;
            match place.compare_exchange(0, new, AcqRel, Acquire) {
                Ok(_) => return Some(site),
                // CAST: Site numbers have 16 bits.
                Err(other) if is_it((other - 1) as u16) => return Some((other - 1) as u16),
                Err(_) => {}
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
