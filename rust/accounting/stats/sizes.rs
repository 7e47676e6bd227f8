// SPDX-License-Identifier: GPL-2.0-only

//! Histograms of block sizes.

use super::{
    counter, //
    Counters,
};
use crate::{
    accounting::size_histogram::SizeBin,
    sys::percpu, //
};
use core::sync::atomic::{
    fence,
    Ordering, //
};

/// Blocks of similar sizes: above half of `up_to` bytes, and at most `up_to`.
///
/// # Examples
///
/// ```
/// use kalloc::{accounting::stats::Sizes, Array, Kmalloc, Tag};
///
/// kalloc::sites! {
///     Names: kmalloc([u8]), "doc_sizes";
/// }
///
/// let name = Array::<u8, Kmalloc<Names>>::zeroed(100, GFP_KERNEL)?;
/// let largest = Names::site().sizes().last();
/// assert_eq!(
///     largest,
///     Some(Sizes {
///         up_to: 128,
///         allocs: 1,
///         frees: 0
///     })
/// );
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The largest size, a power of two.
    pub up_to: u64,
    /// Blocks allocated.
    pub allocs: u64,
    /// Blocks freed, at most `allocs`.
    pub frees: u64,
}

/// Returns a histogram of the sizes of a site's blocks, by powers of two, without sizes that never
/// occurred.
///
/// # Safety
///
/// - `counters` must satisfy the invariants of [`PerCpuPtr`](super::PerCpuPtr), for a site without
///   a unit.
/// - `counters` must be valid as long as the iterator exists.
pub(crate) unsafe fn sizes(counters: *mut Counters) -> impl Iterator<Item = Sizes> {
    SizeBin::powers_of_two().filter_map(move |(up_to, buckets)| {
        let sum = |counter: usize| {
            let of = |bucket: SizeBin| {
                // SAFETY: `counters` are valid and of a site without a unit, by the requirements of
                // this function. Each array has a counter for every bucket.
                unsafe { sum(counters, counter + bucket.index() * size_of::<u64>()) }
            };
            buckets.clone().map(of).sum()
        };
        // Frees are read first, because each follows its allocation.
        let frees = sum(counter::SIZED_FREES);
        fence(Ordering::SeqCst);
        let allocs = sum(counter::SIZED_ALLOCS);
        (allocs != 0).then_some(Sizes {
            up_to,
            allocs,
            frees: frees.min(allocs),
        })
    })
}

/// Returns the sum of one counter over all CPUs.
///
/// # Safety
///
/// `counters` must satisfy the invariants of [`PerCpuPtr`](super::PerCpuPtr), and have a counter at
/// `offset`.
unsafe fn sum(counters: *mut Counters, offset: usize) -> u64 {
    percpu::possible_cpus()
        // SAFETY: `cpu` is possible, and there is a counter at `offset` by the requirements of this
        // function. The CPU may be writing it: the read is volatile, and an aligned word is not
        // torn.
        .map(|cpu| unsafe {
            percpu::instance(counters, cpu)
                .byte_add(offset)
                .cast::<u64>()
                .read_volatile()
        })
        .sum()
}
