// SPDX-License-Identifier: GPL-2.0

//! Where a block is from, and how many pages were freed: part of the modules with the KUnit suites, and here because it declares a C
//! function.

use kernel::ffi::{
    c_ulong,
    c_void, //
};

unsafe extern "C" {
    /// The function of block.c: 0 if the kernel does not count them. It is safe: it reads counters.
    #[link_name = "kalloc_test_pages_freed"]
    pub(crate) safe fn pages_freed() -> c_ulong;

    /// The function of block.c: NULL if it cannot tell.
    fn kalloc_test_cache_of(block: *const c_void) -> *const c_void;
}

/// Where the slab cache is that a block is from, if that can be told.
pub(crate) fn cache_of<T>(block: &T) -> Option<usize> {
    // SAFETY: Takes any block; this one is borrowed.
    let cache = unsafe { kalloc_test_cache_of(core::ptr::from_ref(block).cast()) };
    (!cache.is_null()).then_some(cache.addr())
}
