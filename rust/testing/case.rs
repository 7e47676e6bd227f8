// SPDX-License-Identifier: GPL-2.0-only

//! The part of KUnit's interface that the kernel crate lacks, for the KUnit module. The module is
//! in rust/ because it declares a C function.

use kernel::{
    ffi::c_char,
    prelude::*, //
};

unsafe extern "C" {
    /// Skips the current case, of which the rest does not run. Outside of a case, it returns.
    #[link_name = "kalloc_test_skip"]
    fn kunit_skip(reason: *const c_char);
}

/// Skips the current case for the given reason: this kernel lacks a facility.
///
/// The values of the case are not dropped, so a case must call this first.
macro_rules! skip {
    ($reason:literal) => {
        $crate::case::end($reason)
    };
}

pub(crate) use skip;

pub(crate) fn end(reason: &'static CStr) {
    // SAFETY: The text is NUL-terminated and static. A case runs in a thread of KUnit, which this
    // call ends. Soundness does not depend on drops of the values that the thread owns.
    unsafe { kunit_skip(reason.as_char_ptr()) }
}
