// SPDX-License-Identifier: GPL-2.0-only

//! The origin and the footprint of a block, and the number of freed pages, for test modules. The
//! module is in rust/ because it declares C functions.

use kernel::ffi::{
    c_ulong,
    c_void, //
};

unsafe extern "C" {
    /// Returns the number of freed pages, or 0 if the kernel does not count them. The function is
    /// safe: it only reads counters.
    #[link_name = "kalloc_test_pages_freed"]
    pub(crate) safe fn pages_freed() -> c_ulong;

    /// Returns the slab cache of a block, or NULL if it is unknown.
    fn kalloc_test_cache_of(block: *const c_void) -> *const c_void;
    /// Returns the footprint of a block, or 0 if it is unknown.
    fn kalloc_test_footprint(block: *const c_void, size: usize) -> usize;
}

/// Returns the address of the slab cache of a block, or `None` if it is unknown.
#[allow(dead_code)] // Not all modules ask.
pub(crate) fn cache_of<T>(block: &T) -> Option<usize> {
    // SAFETY: The function accepts any live block, and this one is borrowed.
    let cache = unsafe { kalloc_test_cache_of(core::ptr::from_ref(block).cast()) };
    (!cache.is_null()).then_some(cache.addr())
}

/// Returns the bytes that a block takes in its allocator, given the whole block. Returns 0 if the
/// kernel does not know them, or has another block there.
pub(crate) fn footprint<T: ?Sized>(block: &T) -> usize {
    let size = size_of_val(block);
    // SAFETY: The function accepts any live block, and this one is borrowed.
    unsafe { kalloc_test_footprint(core::ptr::from_ref(block).cast(), size) }
}
