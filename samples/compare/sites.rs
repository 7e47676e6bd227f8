// SPDX-License-Identifier: GPL-2.0

//! Where the blocks of the measurements are counted.

#![deny(unsafe_code)]

use kernel::page::PAGE_SIZE;

/// An object for which several pages are needed.
pub(crate) const SEVERAL_PAGES: usize = 4 * PAGE_SIZE;

kalloc::sites! {
    /// `vmalloc`.
    pub(crate) Vmallocs: vmalloc([u8]), "compare_vmalloc";
    /// `kmalloc`, `kcalloc`, `krealloc`.
    pub(crate) Kmallocs: kmalloc([u8]), "compare_kmalloc";
    /// `__get_free_pages`.
    pub(crate) FreeBlocks: pages, "compare_fpages";
    /// `alloc_pages`.
    pub(crate) PageBlocks: pages, "compare_pages";
    /// Slab caches, by the bytes of an object.
    pub(crate) Cache1: cache([u8; 1]), "compare_cache_1";
    /// A multiple of a word, but no power of two.
    pub(crate) Cache24: cache([u8; 24]), "compare_cache_24";
    /// What may be a cache line.
    pub(crate) Cache64: cache([u8; 64]), "compare_cache_64";
    /// No multiple of a word.
    pub(crate) Cache100: cache([u8; 100]), "compare_cache_100";
    /// A page.
    pub(crate) Cache4K: cache([u8; PAGE_SIZE]), "compare_cache_page";
    /// Pages.
    pub(crate) Cache16K: cache([u8; SEVERAL_PAGES]), "compare_cache_pages";
    /// Many pages.
    pub(crate) Cache256K: cache([u8; 256 << 10]), "compare_cache_256k";
    /// A large block.
    pub(crate) Cache1M: cache([u8; 1 << 20]), "compare_cache_1m";
    /// The largest object that a slab cache may have.
    pub(crate) CacheMax: cache([u8; kalloc::alloc::kmalloc::MAX_SIZE]), "compare_cache_max";
}
