// SPDX-License-Identifier: GPL-2.0

//! What each CPU counted.

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

/// What was allocated and freed on one CPU. A block may be freed on another than it was allocated on.
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
    /// The CPU's number.
    pub cpu: u32,
    /// Blocks allocated there.
    pub allocs: u64,
    /// Blocks freed there.
    pub frees: u64,
}

/// Reads what each CPU counted; those that counted nothing are left out.
///
/// # Safety
///
/// `counters` must be as for [`PerCpuPtr`](super::PerCpuPtr), of a site with that scheme, and valid while the
/// iterator is.
pub(crate) unsafe fn on_cpus(
    counters: *mut Counters,
    scheme: Scheme,
) -> impl Iterator<Item = OnCpu> {
    percpu::possible_cpus().filter_map(move |cpu| {
        let (mut ins, mut outs) = (Sums::default(), Sums::default());
        // SAFETY: `cpu` is possible; the rest is by the requirements of this function.
        unsafe { outs.add::<true>(percpu::instance(counters, cpu), &scheme) };
        if let Some(units) = scheme.static_counters {
            outs.add_units::<true>(units, cpu);
        }
        fence(Ordering::SeqCst);
        // SAFETY: As above.
        unsafe { ins.add::<false>(percpu::instance(counters, cpu), &scheme) };
        if let Some(units) = scheme.static_counters {
            ins.add_units::<false>(units, cpu);
        }
        let on = OnCpu {
            // CAST: The numbers of CPUs are not negative.
            cpu: cpu as u32,
            allocs: ins.units + ins.blocks,
            frees: outs.units + outs.blocks,
        };
        (on.allocs | on.frees != 0).then_some(on)
    })
}
