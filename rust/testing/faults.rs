// SPDX-License-Identifier: GPL-2.0

//! What a test needs of the kernel to have allocations refused: part of the KUnit module, and here because
//! it declares C functions.

pub(crate) use self::refusals::*;

#[cfg(all(
    CONFIG_FAILSLAB,
    CONFIG_FAIL_PAGE_ALLOC,
    CONFIG_FAULT_INJECTION_DEBUG_FS
))]
mod refusals {
    use kernel::ffi::c_uint;

    // The functions of faults.c. They are safe: what they read and write belongs to the current thread, or
    // is a setting that any thread may read at any time.
    unsafe extern "C" {
        /// Makes refusals possible, and keeps the log free of them. Whether that could be done.
        #[link_name = "kalloc_test_expose"]
        pub(crate) safe fn expose() -> bool;
        /// Refuses the current thread its nth allocation from now on; none, if 0.
        #[link_name = "kalloc_test_refuse"]
        pub(crate) safe fn refuse(nth: c_uint);
        /// Refuses the current thread all of them from now on, or none.
        #[link_name = "kalloc_test_refuse_all"]
        pub(crate) safe fn refuse_all(all: bool);
        /// Refuses the current thread slab objects that it would not wait for from now on, or none.
        #[link_name = "kalloc_test_refuse_atomic"]
        pub(crate) safe fn refuse_atomic(atomic: bool);
        /// How many allocations there still are up to the one that is refused.
        #[link_name = "kalloc_test_pending"]
        pub(crate) safe fn pending() -> c_uint;
    }
}

/// On a kernel that refuses nothing, [`expose`] says so, and the rest is not called.
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
