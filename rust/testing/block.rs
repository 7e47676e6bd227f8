// SPDX-License-Identifier: GPL-2.0

//! The origin and the footprint of a block, and the number of pages freed: part of the modules that test, and
//! here because it declares C functions.

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
    /// The function of block.c: 0 if it cannot tell.
    fn kalloc_test_footprint(block: *const c_void, size: usize) -> usize;
}

/// Where the slab cache is that a block is from, if that can be told.
#[allow(dead_code)] // Not all modules ask.
pub(crate) fn cache_of<T>(block: &T) -> Option<usize> {
    // SAFETY: Takes any block; this one is borrowed.
    let cache = unsafe { kalloc_test_cache_of(core::ptr::from_ref(block).cast()) };
    (!cache.is_null()).then_some(cache.addr())
}

/// Returns how many bytes the allocator of a block has for it, given the whole block; 0 if the
/// kernel cannot tell, or has another block there.
pub(crate) fn footprint<T: ?Sized>(block: &T) -> usize {
    let size = size_of_val(block);
    // SAFETY: Takes any block; this one is borrowed.
    unsafe { kalloc_test_footprint(core::ptr::from_ref(block).cast(), size) }
}
