// SPDX-License-Identifier: GPL-2.0

//! The calls that kalloc makes, without the counting: the difference is what counting costs.

use core::{
    alloc::Layout,
    ptr::NonNull, //
};
use kernel::{
    alloc::{
        AllocError,
        Allocator,
        Flags,
        NumaNode, //
    },
    bindings,
    ffi::c_int,
    prelude::*, //
};

/// kmalloc with a class that is chosen when compiling, as kalloc has it; `GFP_KERNEL` only.
pub(crate) struct Uncounted;

extern "C" {
    fn kalloc_helper_kmalloc_node(size: usize, gfp: bindings::gfp_t, node: c_int) -> *mut u8;
}

// SAFETY: kmalloc memory stays until it is freed, and has the alignment of a power of two that
// its size, a multiple of the layout's alignment, can be divided by. There is no `realloc` of a
// block: it fails and leaves the block alone.
unsafe impl Allocator for Uncounted {
    const MIN_ALIGN: usize = bindings::ARCH_KMALLOC_MINALIGN;

    #[inline(always)]
    fn alloc(layout: Layout, _: Flags, _: NumaNode) -> Result<NonNull<[u8]>, AllocError> {
        let size = layout.pad_to_align().size();
        if size == 0 || size > kalloc::kmalloc::MAX_SIZE {
            return Err(AllocError);
        }
        let gfp = bindings::GFP_KERNEL;
        let in_c = cfg!(CONFIG_KMALLOC_PARTITION_CACHES) || cfg!(CONFIG_MEM_ALLOC_PROFILING);
        // SAFETY: They take any size from 1 to `MAX_SIZE`; there is a class for what fits one.
        let ptr: *mut u8 = unsafe {
            if in_c {
                kalloc_helper_kmalloc_node(size, gfp, bindings::NUMA_NO_NODE)
            } else if size <= kalloc::kmalloc::MAX_SLAB_SIZE {
                let class = match kalloc::kmalloc::usable_size(size) {
                    96 => 1,
                    192 => 2,
                    bytes => bytes.trailing_zeros() as usize,
                };
                let classes =
                    &bindings::kmalloc_caches[bindings::kmalloc_cache_type_KMALLOC_NORMAL as usize];
                bindings::__kmalloc_cache_noprof(classes[class], gfp, size).cast()
            } else {
                bindings::__kmalloc_large_noprof(size, gfp).cast()
            }
        };
        let ptr = NonNull::new(ptr).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(ptr, size))
    }

    #[inline]
    unsafe fn realloc(
        ptr: Option<NonNull<u8>>,
        layout: Layout,
        old_layout: Layout,
        flags: Flags,
        node: NumaNode,
    ) -> Result<NonNull<[u8]>, AllocError> {
        if ptr.is_some() && old_layout.size() != 0 {
            return Err(AllocError);
        }
        Self::alloc_any(layout, flags, node)
    }

    #[inline(always)]
    unsafe fn free(ptr: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            // SAFETY: A live block, by the requirements of this function.
            unsafe { bindings::kfree(ptr.as_ptr().cast()) };
        }
    }
}

impl Uncounted {
    /// For what grows, and so has a size that is not known when compiling: C has a table for them.
    #[cfg(not(any(CONFIG_KMALLOC_PARTITION_CACHES, CONFIG_MEM_ALLOC_PROFILING)))]
    #[inline(always)]
    fn alloc_any(layout: Layout, _: Flags, _: NumaNode) -> Result<NonNull<[u8]>, AllocError> {
        let size = layout.pad_to_align().size();
        if size == 0 || size > kalloc::kmalloc::MAX_SIZE {
            return Err(AllocError);
        }
        // SAFETY: Takes any size from 1 to `MAX_SIZE`.
        let ptr = unsafe { bindings::__kmalloc_noprof(size, bindings::GFP_KERNEL) };
        let ptr = NonNull::new(ptr.cast()).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(ptr, size))
    }

    #[cfg(any(CONFIG_KMALLOC_PARTITION_CACHES, CONFIG_MEM_ALLOC_PROFILING))]
    #[inline(always)]
    fn alloc_any(
        layout: Layout,
        flags: Flags,
        node: NumaNode,
    ) -> Result<NonNull<[u8]>, AllocError> {
        Self::alloc(layout, flags, node)
    }
}
