// SPDX-License-Identifier: GPL-2.0

//! How large blocks are.

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

/// Blocks of similar size: above half of `up_to` bytes.
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
    /// Blocks freed, never more.
    pub frees: u64,
}

/// Reads a histogram of the sizes of a site's blocks, by powers of two; sizes that there never were
/// are left out.
///
/// # Safety
///
/// `counters` must be as for [`PerCpuPtr`](super::PerCpuPtr), of a site without a unit, and valid while the iterator is.
pub(crate) unsafe fn sizes(counters: *mut Counters) -> impl Iterator<Item = Sizes> {
    SizeBin::powers_of_two().filter_map(move |(up_to, buckets)| {
        let sum = |counter: usize| {
            let of = |bucket: SizeBin| {
                // SAFETY: By the requirements of this function; an array has all buckets.
                unsafe { sum(counters, counter + bucket.index() * size_of::<u64>()) }
            };
            buckets.clone().map(of).sum()
        };
        // Frees first: each comes after its allocation.
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

/// The sum of one counter over all CPUs.
///
/// # Safety
///
/// `counters` must be as for [`PerCpuPtr`](super::PerCpuPtr), and have a counter at that offset.
unsafe fn sum(counters: *mut Counters, offset: usize) -> u64 {
    percpu::possible_cpus()
        // SAFETY: By the requirements of this function; `cpu` is possible. For volatile, see `Sums::add`.
        .map(|cpu| unsafe {
            percpu::instance(counters, cpu)
                .byte_add(offset)
                .cast::<u64>()
                .read_volatile()
        })
        .sum()
}
