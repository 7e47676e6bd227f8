// SPDX-License-Identifier: GPL-2.0-only

//! Fault injection for the KUnit module. The module is in rust/ because it declares C functions.

pub(crate) use self::refusals::*;

#[cfg(all(
    CONFIG_FAILSLAB,
    CONFIG_FAIL_PAGE_ALLOC,
    CONFIG_FAULT_INJECTION_DEBUG_FS
))]
mod refusals {
    use kernel::ffi::c_uint;

    // The functions of faults.c. They are safe: they read and write only data of the current
    // thread, or settings that any thread may read at any time.
    unsafe extern "C" {
        /// Enables fault injection, and disables its log messages. Returns true on success.
        #[link_name = "kalloc_test_expose"]
        pub(crate) safe fn expose() -> bool;
        /// Makes the nth allocation of the current thread from now on fail, or none if `nth` is 0.
        #[link_name = "kalloc_test_refuse"]
        pub(crate) safe fn refuse(nth: c_uint);
        /// Makes all allocations of the current thread fail from now on, or none.
        #[link_name = "kalloc_test_refuse_all"]
        pub(crate) safe fn refuse_all(all: bool);
        /// Makes the current thread's slab allocations that do not wait fail from now on, or none.
        #[link_name = "kalloc_test_refuse_atomic"]
        pub(crate) safe fn refuse_atomic(atomic: bool);
        /// Returns the number of allocations until the failing one, inclusive.
        #[link_name = "kalloc_test_pending"]
        pub(crate) safe fn pending() -> c_uint;
    }
}

/// Functions for a kernel without fault injection: [`expose`] returns false, and the others are not
/// called.
#[cfg(not(all(
    CONFIG_FAILSLAB,
    CONFIG_FAIL_PAGE_ALLOC,
    CONFIG_FAULT_INJECTION_DEBUG_FS
)))]
mod refusals {
    use kernel::ffi::c_uint;

    pub(crate) fn expose() -> bool {
        false
    }

    pub(crate) fn refuse(_nth: c_uint) {}

    pub(crate) fn refuse_all(_all: bool) {}

    pub(crate) fn refuse_atomic(_atomic: bool) {}

    pub(crate) fn pending() -> c_uint {
        0
    }
}
