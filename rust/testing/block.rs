// SPDX-License-Identifier: GPL-2.0

//! Where a block is from: part of the modules with the KUnit suites, and here because it declares a C
//! function.

use kernel::ffi::c_void;

unsafe extern "C" {
    /// The function of block.c: NULL if it cannot tell.
    fn kalloc_test_cache_of(block: *const c_void) -> *const c_void;
}

/// Where the slab cache is that a block is from, if that can be told.
pub(crate) fn cache_of<T>(block: &T) -> Option<usize> {
    // SAFETY: Takes any block; this one is borrowed.
    let cache = unsafe { kalloc_test_cache_of(core::ptr::from_ref(block).cast()) };
    (!cache.is_null()).then_some(cache.addr())
}
