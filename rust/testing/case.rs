// SPDX-License-Identifier: GPL-2.0

//! What a test needs of KUnit: part of the KUnit module, and here because it declares a C function.

use kernel::{
    ffi::c_char,
    prelude::*, //
};

unsafe extern "C" {
    /// The function of case.c. It does not return; but the kernel's objtool, which follows the code, knows
    /// by name the functions that do not, and does not know this one.
    #[link_name = "kalloc_test_skip"]
    fn kunit_skip(reason: *const c_char);
}

/// Ends the case that runs as skipped, for this reason: a facility that this kernel has not got.
///
/// What the case has is not dropped, so it is to be called before there is anything.
macro_rules! skip {
    ($reason:literal) => {
        $crate::case::end($reason)
    };
}

pub(crate) use skip;

pub(crate) fn end(reason: &'static CStr) {
    // SAFETY: The text ends in a NUL and stays, and a case runs in a thread of KUnit's, which this ends.
    // Nothing relies on what the thread owns being dropped.
    unsafe { kunit_skip(reason.as_char_ptr()) }
}
