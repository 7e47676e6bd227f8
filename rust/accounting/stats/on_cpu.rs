// SPDX-License-Identifier: GPL-2.0-only

//! The counts of each CPU.

use super::{
    Counters,
    Scheme,
    Sums, //
};
use crate::sys::percpu;
use core::sync::atomic::{
    fence,
    Ordering, //
};

/// Allocations and frees on one CPU. A block may be freed on another CPU than the one that
/// allocated it.
///
/// # Examples
///
/// ```
/// use kalloc::{accounting::stats::OnCpu, KBox, Tag};
///
/// kalloc::sites! {
///     Words: kmalloc(u64), "doc_on_cpu";
/// }
///
/// let word = KBox::<u64, Words>::new(7, GFP_KERNEL)?;
/// let most: Option<OnCpu> = Words::site().cpus().max_by_key(|on| on.allocs);
/// assert_eq!(most.map(|on| (on.allocs, on.frees)), Some((1, 0)));
/// if let Some(on) = most {
///     pr_info!("CPU {} has allocated it\n", on.cpu);
/// }
/// # drop(word);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnCpu {
    /// The number of the CPU.
    pub cpu: u32,
    /// Blocks allocated on this CPU.
    pub allocs: u64,
    /// Blocks freed on this CPU.
    pub frees: u64,
}

/// Returns an iterator over the counts of each CPU, without CPUs that counted nothing.
///
/// # Safety
///
/// - `counters` must satisfy the invariants of [`PerCpuPtr`](super::PerCpuPtr), for a site with
///   that scheme.
/// - `counters` must be valid as long as the iterator exists.
pub(crate) unsafe fn on_cpus(
    counters: *mut Counters,
    scheme: Scheme,
) -> impl Iterator<Item = OnCpu> {
    percpu::possible_cpus().filter_map(move |cpu| {
        let (mut ins, mut outs) = (Sums::default(), Sums::default());
        // SAFETY: `cpu` is possible. `counters` are valid and suit `scheme` by the requirements of
        // this function.
        unsafe { outs.add::<true>(percpu::instance(counters, cpu), &scheme) };
        if let Some(units) = scheme.static_counters {
            outs.add_units::<true>(units, cpu);
        }
        fence(Ordering::SeqCst);
        // SAFETY: `cpu` is possible. `counters` are valid and suit `scheme` by the requirements of
        // this function.
        unsafe { ins.add::<false>(percpu::instance(counters, cpu), &scheme) };
        if let Some(units) = scheme.static_counters {
            ins.add_units::<false>(units, cpu);
        }
        let on = OnCpu {
            // CAST: CPU numbers are not negative.
            cpu: cpu as u32,
            allocs: ins.units + ins.blocks,
            frees: outs.units + outs.blocks,
        };
        (on.allocs | on.frees != 0).then_some(on)
    })
}
