// SPDX-License-Identifier: GPL-2.0-only

//! Memory shortage, and long operations.

use super::{
    Arrays,
    Blocks, //
};
use crate::attack::{
    live,
    sleep,
    Attacker, //
};
use kalloc::{
    mm::page_info, //
    Gfp,
    Order,
    PageArray,
    Pages,
};
use kernel::{
    interrupt,
    page::PAGE_SIZE,
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// Allocates all memory that is available without reclaim, and then arrays of pages. It must not
/// invoke the OOM killer, which would be in the log.
fn exhaust(gfp: Gfp) -> Result {
    let quiet = Gfp::KERNEL | Gfp::NORETRY | Gfp::NOWARN;
    let mut held = KVVec::with_capacity(page_info::free() / PAGE_SIZE + 10_000, GFP_KERNEL)?;
    let mut failures = 0;
    while failures < 3 {
        let page = Pages::<Blocks, _>::uninit(Order::ZERO, quiet);
        if !page.is_ok_and(|page| held.push_within_capacity(page).is_ok()) {
            failures += 1;
        }
    }
    let mut arrays = [const { None }; 64];
    for array in &mut arrays {
        // The list of 1,200 pages is itself larger than two pages.
        *array = PageArray::<Arrays>::zeroed(1200, gfp | Gfp::NOWARN | Gfp::NORETRY).ok();
    }
    drop(arrays);
    drop(held);
    holds!(live::<Blocks>() == 0 && live::<Arrays>() == 0);
    Ok(())
}

/// Exhausts memory with flags that forbid retries.
pub(super) fn noretry(_: &Attacker) -> Result {
    exhaust(Gfp::KERNEL)
}

/// Exhausts memory with flags that forbid I/O.
pub(super) fn noio(_: &Attacker) -> Result {
    exhaust(Gfp::NOIO)
}

/// Drops arrays of many pages with interrupts disabled. The drops must not keep them disabled for
/// long.
pub(super) fn drops(_: &Attacker) -> Result {
    const PAGES: usize = 16_000;
    let mut best = i64::MAX;
    for _ in 0..3 {
        let array = PageArray::<Arrays>::zeroed(PAGES, Gfp::KERNEL | Gfp::NOWARN)?;
        let guard = interrupt::local_interrupt_disable();
        let start = Instant::<Monotonic>::now();
        drop(array);
        best = best.min(start.elapsed().as_micros_ceil());
        drop(guard);
        holds!(live::<Arrays>() == 0);
        // Deferred frees complete soon.
        sleep(50);
    }
    pr_info!("{PAGES} pages dropped with interrupts disabled: {best} us\n");
    // Freeing each page takes 20 to 1,000 ms on an emulated CPU.
    holds!(best < 5_000);
    Ok(())
}
