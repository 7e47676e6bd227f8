// SPDX-License-Identifier: GPL-2.0-only

//! Calls from initcalls that precede kalloc's own, for the KUnit suites that are built into the
//! kernel. The module is in rust/ because it declares C functions.

use crate::early;

unsafe extern "C" {
    // The functions of initcall.c. They read a variable or compare an address.
    #[link_name = "kalloc_test_notifier_is_early"]
    pub(crate) safe fn notifier_is_early() -> bool;
    safe fn kalloc_test_is_percpu_template(addr: *const kernel::ffi::c_void) -> bool;
}

/// Returns true if the value is in the template of per-CPU variables, which is freed after the boot.
pub(crate) fn is_percpu_template<T>(value: &T) -> bool {
    kalloc_test_is_percpu_template(core::ptr::from_ref(value).cast())
}

#[no_mangle]
extern "C" fn kalloc_test_at_early_initcall() {
    early::at_early_initcall();
}

#[no_mangle]
extern "C" fn kalloc_test_at_fs_initcall() {
    early::at_fs_initcall();
}
