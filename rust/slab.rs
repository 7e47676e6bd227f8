// SPDX-License-Identifier: GPL-2.0

//! What the slab allocator says of a cache.

use crate::bindings;
use kernel::page::PAGE_SIZE;

/// Returns a cache's bytes per object, objects per slab, and pages per slab, as
/// `/proc/slabinfo` has them.
///
/// # Safety
///
/// `cache` must be NULL, for which there is no geometry, or a live cache.
pub(crate) unsafe fn geometry(cache: *mut bindings::kmem_cache) -> [u32; 3] {
    let mut geometry = [0; 3];
    if cache.is_null() {
        return geometry;
    }
    // SAFETY: The cache is live, and `geometry` has room for the three numbers.
    unsafe { bindings::kalloc_helper_slab_shape(cache, geometry.as_mut_ptr()) };
    if geometry[0] == 0 {
        // Built without the allocator's internal header: the object size is known all the same,
        // the rest is as if a slab were a page.
        // SAFETY: The cache is live.
        let size = unsafe { bindings::kmem_cache_size(cache) }
            .next_multiple_of(8)
            .max(8);
        // CAST: A page has fewer than 2^32 bytes.
        let page = PAGE_SIZE as u32;
        geometry = [size, (page / size).max(1), size.div_ceil(page)];
    }
    geometry
}
