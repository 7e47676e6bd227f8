// SPDX-License-Identifier: GPL-2.0-only

//! The sites that count the blocks of the measurements.

#![deny(unsafe_code)]

use kernel::page::PAGE_SIZE;

/// The size of an object that needs several pages.
pub(crate) const SEVERAL_PAGES: usize = 4 * PAGE_SIZE;

kalloc::sites! {
    /// The blocks of `vmalloc`.
    pub(crate) Vmallocs: vmalloc([u8]), "compare_vmalloc";
    /// The blocks of `kmalloc`, `kcalloc` and `krealloc`.
    pub(crate) Kmallocs: kmalloc([u8]), "compare_kmalloc";
    /// The blocks of `__get_free_pages`.
    pub(crate) FreeBlocks: pages, "compare_fpages";
    /// The blocks of `alloc_pages`.
    pub(crate) PageBlocks: pages, "compare_pages";
    /// Slab caches, by object size. This is the smallest size.
    pub(crate) Cache1: cache([u8; 1]), "compare_cache_1";
    /// A multiple of a word that is not a power of two.
    pub(crate) Cache24: cache([u8; 24]), "compare_cache_24";
    /// The size of a cache line on many machines.
    pub(crate) Cache64: cache([u8; 64]), "compare_cache_64";
    /// A size that is not a multiple of a word.
    pub(crate) Cache100: cache([u8; 100]), "compare_cache_100";
    /// The size of a page.
    pub(crate) Cache4K: cache([u8; PAGE_SIZE]), "compare_cache_page";
    /// The size of several pages.
    pub(crate) Cache16K: cache([u8; SEVERAL_PAGES]), "compare_cache_pages";
    /// The size of many pages.
    pub(crate) Cache256K: cache([u8; 256 << 10]), "compare_cache_256k";
    /// The size of a large block.
    pub(crate) Cache1M: cache([u8; 1 << 20]), "compare_cache_1m";
    /// The largest object size of a slab cache.
    pub(crate) CacheMax: cache([u8; kalloc::alloc::kmalloc::MAX_SIZE]), "compare_cache_max";
}
