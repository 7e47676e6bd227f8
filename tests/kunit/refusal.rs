// SPDX-License-Identifier: GPL-2.0

//! Allocations that are refused to the current thread, while it makes a call.
//!
//! The kernel's fault injection does it (failslab, fail_page_alloc).

use kernel::ffi::c_uint;

#[path = "../../rust/testing/faults.rs"]
mod injection;

/// Makes refusals possible. Whether the kernel can do that.
pub(crate) fn are_possible() -> bool {
    injection::expose()
}

/// What the current thread is refused from now on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// The nth allocation.
    Of(c_uint),
    /// Every one.
    OfAll,
    /// Every slab object that the thread would not wait for, and no other.
    OfAtomic,
}

impl Refusal {
    /// Makes a call with it. Returns what came of that, and whether an allocation was refused, as far as
    /// that is known.
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
