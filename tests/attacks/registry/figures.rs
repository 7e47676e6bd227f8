// SPDX-License-Identifier: GPL-2.0-only

//! Figures that any code can construct, since their fields are public.

use crate::attack::Attacker;
use kalloc::accounting::stats::{
    Failures,
    Totals, //
};
use kernel::prelude::*;

/// Computes with extreme figures, which must not panic.
pub(super) fn extreme(_: &Attacker) -> Result {
    let mut sum = 0u64;
    for allocs in [0, 1, u64::MAX] {
        for other in [0, 1, u64::MAX] {
            let failures = Failures {
                no_memory: allocs,
                no_wait: other,
                invalid: other,
            };
            let totals = Totals {
                allocs,
                frees: other,
                failures,
                live_bytes: other,
                live_allocated: allocs,
            };
            sum = sum
                .wrapping_add(totals.live())
                .wrapping_add(totals.live_slack())
                .wrapping_add(totals.failures.total());
        }
    }
    pr_info!("figures add up to {sum}\n");
    Ok(())
}
