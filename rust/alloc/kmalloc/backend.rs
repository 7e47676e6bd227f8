// SPDX-License-Identifier: GPL-2.0-only

//! The kmalloc source: physically contiguous blocks.

use super::{
    size_class::Class,
    usable_size, //
    MAX_SIZE,
    MAX_SLAB_SIZE,
};
use crate::{
    accounting::{
        family,
        site::{
            Family,
            Shape,
            Site, //
        },
        stats::Totals, //
    },
    alloc::allocator::{
        relocate, //
        Request,
        Source,
        Token,
        PARTITIONED,
    },
    sys::{
        bindings,
        gfp::Gfp,
        kmem_cache,
        node, //
    }, //
};
use core::{
    ptr::NonNull, //
};
use kernel::{
    alloc::NumaNode,
    ffi::c_ulong,
    page::PAGE_SIZE,
    prelude::*, //
};

impl Family for family::Kmalloc {
    const NAME: &'static str = "kmalloc";
    const MAX_SIZE: usize = MAX_SIZE;
    const CLASS_SIZE: Option<fn(usize) -> usize> = Some(usable_size);

    fn unit_footprint(site: &Site) -> usize {
        usable_size(site.unit())
    }

    fn shape(site: &Site, live: &Totals) -> Shape {
        shape(site.unit(), live)
    }
}

/// Returns the shape of the size class that serves `unit` bytes, or of the live blocks if sizes
/// vary.
pub(crate) fn shape(unit: usize, live: &Totals) -> Shape {
    if unit == 0 {
        return Shape::mixed(live);
    }
    if unit <= MAX_SLAB_SIZE {
        // GFP: The flags only choose a cache; nothing is allocated.
        // SAFETY: The size is that of a slab's block, and the caches of size classes are never
        // destroyed.
        let geometry = unsafe { kmem_cache::geometry(Class::of(unit).cache(GFP_KERNEL.into())) };
        return Shape::packed(geometry, usable_size(unit), live);
    }
    Shape::pages(usable_size(unit).next_multiple_of(PAGE_SIZE), live)
}

/// A flag: allocation profiling attributes each block to its C call site.
const PROFILED: bool = cfg!(CONFIG_MEM_ALLOC_PROFILING);

/// Allocates like `kmalloc_node(size, gfp, node)`, with a size class that Rust chooses.
///
/// # Safety
///
/// `size` must not be 0.
#[inline(always)]
unsafe fn kmalloc(size: usize, gfp: Gfp, node: NumaNode, token: Token) -> Option<NonNull<u8>> {
    // Chosen before the branch, so that the code that counts the block can reuse the size's bucket.
    let class = Class::of(size);
    // With partitioned caches, C chooses a partition besides the class.
    if PARTITIONED || node != NumaNode::NO_NODE || size > MAX_SLAB_SIZE {
        // SAFETY: The caller guarantees that the size is not 0.
        return unsafe { unusual(size, gfp, node, token) };
    }
    let gfp = gfp.without_zone();
    // SAFETY: The class is that of a slab, because the size is at most `MAX_SLAB_SIZE`, and the
    // caller guarantees that it is not 0. `__kmalloc_cache_noprof()` accepts any flags.
    let ptr = unsafe {
        if PROFILED {
            bindings::kalloc_helper_kmalloc_cache(class.cache(gfp), gfp.as_raw(), size)
        } else {
            bindings::__kmalloc_cache_noprof(class.cache(gfp), gfp.as_raw(), size)
        }
    };
    NonNull::new(ptr.cast())
}

/// Allocates a block that is larger than a slab's, or on a specific node, or in a partitioned
/// cache.
///
/// # Safety
///
/// `size` must not be 0.
#[cold]
unsafe fn unusual(size: usize, gfp: Gfp, node: NumaNode, token: Token) -> Option<NonNull<u8>> {
    if size > MAX_SIZE {
        return None;
    }
    let gfp = gfp.without_zone().as_raw();
    // SAFETY: Both functions accept any flags, any size from 1 to `MAX_SIZE`, and any online node.
    let ptr = unsafe {
        if PARTITIONED || PROFILED || node != NumaNode::NO_NODE {
            bindings::kalloc_helper_kmalloc_node(size, gfp, node::node_id(node)?, token.as_raw())
        } else {
            // The size is above `MAX_SLAB_SIZE`, the only remaining reason for this call.
            bindings::__kmalloc_large_noprof(size, gfp)
        }
    };
    NonNull::new(ptr.cast())
}

// SAFETY: kmalloc memory stays valid until it is freed. Its alignment is the largest power of two
// that divides the size, which is a multiple of the layout's alignment. krealloc gets the alignment
// as an argument.
unsafe impl Source for family::Kmalloc {
    const MIN_ALIGN: usize = bindings::ARCH_KMALLOC_MINALIGN;

    #[inline(always)]
    unsafe fn alloc(request: Request) -> Option<NonNull<u8>> {
        // SAFETY: The caller guarantees that the size is not 0.
        unsafe {
            kmalloc(
                request.layout.size(),
                request.gfp,
                request.node,
                request.token,
            )
        }
    }

    #[inline]
    unsafe fn realloc(ptr: NonNull<u8>, old_size: usize, request: Request) -> Option<NonNull<u8>> {
        let size = request.layout.size();
        if Class::of(size) == Class::of(old_size) {
            // SAFETY: The caller guarantees that `ptr` is a live kmalloc block, and that the size
            // is not 0.
            return unsafe { krealloc(ptr, request) };
        }
        // krealloc would look up the size of the block, and leave a shrunk block all its memory.
        // SAFETY: The caller guarantees that `ptr` is a live kmalloc block of `old_size` bytes, and
        // that the new size is not 0 and a multiple of the alignment.
        unsafe { relocate::<Self>(ptr, old_size, request) }
    }

    #[inline(always)]
    unsafe fn free(ptr: NonNull<u8>) {
        // SAFETY: The caller guarantees that `ptr` is a live kmalloc block that nothing uses
        // afterwards.
        unsafe { bindings::kfree(ptr.as_ptr().cast()) };
    }

    #[inline(always)]
    fn footprint(_: NonNull<u8>, size: usize) -> usize {
        Class::of(size).size()
    }
}

/// Resizes a block within its class. C must do this, because its debugging code records the
/// requested size.
///
/// # Safety
///
/// - `ptr` must be a live kmalloc block.
/// - The size of the layout must not be 0.
unsafe fn krealloc(ptr: NonNull<u8>, request: Request) -> Option<NonNull<u8>> {
    let Request {
        layout,
        gfp,
        node,
        token,
    } = request;
    // A size above the limit has no class, although its bucket may have one.
    if layout.size() > MAX_SIZE {
        return None;
    }
    let node = node::node_id(node)?;
    let (ptr, size) = (ptr.as_ptr().cast(), layout.size());
    let (align, gfp) = (layout.align() as c_ulong, gfp.without_zone().as_raw());
    // SAFETY: The caller guarantees that `ptr` is a live kmalloc block, and that the size is not 0.
    // The node is online.
    let new =
        unsafe { bindings::kalloc_helper_krealloc(ptr, size, align, gfp, node, token.as_raw()) };
    NonNull::new(new.cast())
}
