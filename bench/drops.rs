// SPDX-License-Identifier: GPL-2.0-only

//! Owners that are dropped with interrupts disabled, where the size of their memory determines the
//! latency.
//!
//! Only the drop is measured. The worker frees its deferred frees before the next drop.

use crate::case::Case;

#[cfg(LINUX_7_2)]
/// The cases: none, because Linux 7.2 has no Rust function that disables interrupts.
pub(crate) const CASES: &[Case] = &[];

kalloc::sites! {
    /// Pages in all kinds of owners.
    Dropped: pages, "bench_dropped";
    /// Memory from vmalloc.
    Buffers: vmalloc([u8]), "bench_dropped_vmalloc";
}

#[cfg(not(LINUX_7_2))]
pub(crate) use with_interrupts_disabled::*;

#[cfg(not(LINUX_7_2))]
mod with_interrupts_disabled {
    use super::{
        Buffers,
        Case,
        Dropped, //
    };
    use kalloc::{
        sys::percpu::PerCpu, //
        Array,
        CompoundPages,
        ExactPages,
        Mapping,
        Order,
        PageArray,
        PageCount,
        Pages,
        Vmalloc,
    };
    use kernel::{
        interrupt::local_interrupt_disable,
        page::PAGE_SIZE,
        prelude::*,
        time::{
            delay::fsleep,
            Delta,
            Instant,
            Monotonic, //
        }, //
    };

    /// Returns the nanoseconds that a drop takes. They are instructions where an instruction takes
    /// a nanosecond.
    fn dropped<T>(owner: T) -> i64 {
        let guard = local_interrupt_disable();
        let start = Instant::<Monotonic>::now();
        drop(owner);
        let took = start.elapsed().as_nanos();
        drop(guard);
        // The worker completes the deferred frees in this time.
        fsleep(Delta::from_millis(20));
        took
    }

    fn order(pages: usize) -> Result<Order> {
        Order::for_bytes(pages * PAGE_SIZE)
    }

    fn array(pages: usize) -> Result<i64> {
        Ok(dropped(PageArray::<Dropped>::zeroed(pages, GFP_KERNEL)?))
    }

    fn mapped(pages: usize) -> Result<i64> {
        let mut array = PageArray::<Dropped>::zeroed(pages, GFP_KERNEL)?;
        core::mem::forget(Mapping::new(&mut array)?);
        Ok(dropped(array))
    }

    fn exact(pages: usize) -> Result<i64> {
        let pages = PageCount::new(pages)?;
        Ok(dropped(ExactPages::<Dropped>::zeroed(pages, GFP_KERNEL)?))
    }

    fn split(pages: usize) -> Result<i64> {
        let block = Pages::<Dropped>::zeroed(order(pages)?, GFP_KERNEL)?;
        Ok(dropped(block.split_pages()))
    }

    fn block(pages: usize) -> Result<i64> {
        Ok(dropped(Pages::<Dropped>::zeroed(
            order(pages)?,
            GFP_KERNEL,
        )?))
    }

    fn compound(pages: usize) -> Result<i64> {
        let block = CompoundPages::<Dropped>::zeroed(order(pages)?, GFP_KERNEL)?;
        Ok(dropped(block))
    }

    fn shared(pages: usize) -> Result<i64> {
        let block = CompoundPages::<Dropped>::zeroed(order(pages)?, GFP_KERNEL)?;
        Ok(dropped(block.share()))
    }

    fn vmalloc(pages: usize) -> Result<i64> {
        let bytes = pages * PAGE_SIZE;
        Ok(dropped(Array::<u8, Vmalloc<Buffers>>::zeroed(
            bytes, GFP_KERNEL,
        )?))
    }

    fn percpu(_: usize) -> Result<i64> {
        Ok(dropped(PerCpu::<[u64; 512]>::zeroed(GFP_KERNEL)?))
    }

    /// The cases of drops, by number of pages.
    pub(crate) const CASES: &[Case] = &[
        Case::timed("atomic drop of a page array", 1, array),
        Case::timed("atomic drop of a page array", 16, array),
        Case::timed("atomic drop of a page array", 17, array),
        Case::timed("atomic drop of a page array", 1000, array),
        Case::timed("atomic drop of a page array", 50_000, array),
        Case::timed("atomic drop of a mapped page array", 3, mapped),
        Case::timed("atomic drop of a mapped page array", 1000, mapped),
        Case::timed("atomic drop of exact pages", 16, exact),
        Case::timed("atomic drop of exact pages", 17, exact),
        Case::timed("atomic drop of exact pages", 1024, exact),
        Case::timed("atomic drop of split pages", 16, split),
        Case::timed("atomic drop of split pages", 1024, split),
        Case::timed("atomic drop of a block", 1024, block),
        Case::timed("atomic drop of a compound page", 1024, compound),
        Case::timed("atomic drop of a shared page", 1024, shared),
        Case::timed("atomic drop of vmalloc memory", 1, vmalloc),
        Case::timed("atomic drop of vmalloc memory", 10_000, vmalloc),
        Case::timed("atomic drop of per-CPU memory", 1, percpu),
    ];
}
