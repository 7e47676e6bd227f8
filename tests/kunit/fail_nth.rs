// SPDX-License-Identifier: GPL-2.0-only

//! Fault injection for the current thread during one call.
//!
//! The kernel's failslab and fail_page_alloc make the allocations fail.

use kernel::ffi::c_uint;

#[path = "../../rust/testing/faults.rs"]
mod injection;

/// Enables fault injection. Returns whether the kernel supports it.
pub(crate) fn are_possible() -> bool {
    injection::expose()
}

/// The allocations of the current thread that fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// The nth allocation.
    Of(c_uint),
    /// All allocations.
    OfAll,
    /// All slab allocations with flags that do not sleep, and no others.
    OfAtomic,
}

impl Refusal {
    /// Makes a call under fault injection. Returns its result, and whether an allocation failed, as
    /// far as that is known.
    pub(crate) fn during<T>(self, call: impl FnOnce() -> T) -> (T, bool) {
        match self {
            Refusal::Of(nth) => {
                injection::refuse(nth);
                let outcome = call();
                let pending = injection::pending();
                injection::refuse(0);
                (outcome, pending == 0)
            }
            Refusal::OfAll => {
                injection::refuse_all(true);
                let outcome = call();
                injection::refuse_all(false);
                (outcome, true)
            }
            Refusal::OfAtomic => {
                injection::refuse_atomic(true);
                let outcome = call();
                injection::refuse_atomic(false);
                (outcome, true)
            }
        }
    }
}
