// SPDX-License-Identifier: GPL-2.0

//! kmalloc: physically contiguous blocks.

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
        // GFP: Chooses a cache; nothing is allocated.
        // SAFETY: The size is that of a slab's block; caches of classes stay.
        let geometry = unsafe { kmem_cache::geometry(Class::of(unit).cache(GFP_KERNEL.into())) };
        return Shape::packed(geometry, usable_size(unit), live);
    }
    Shape::pages(usable_size(unit).next_multiple_of(PAGE_SIZE), live)
}

/// Whether C books a block for the kernel's own profiler, at the place where it calls.
const PROFILED: bool = cfg!(CONFIG_MEM_ALLOC_PROFILING);

/// `kmalloc_node(size, gfp, node)`, with the class chosen here.
///
/// # Safety
///
/// `size` must not be 0.
#[inline(always)]
unsafe fn kmalloc(size: usize, gfp: Gfp, node: NumaNode, token: Token) -> Option<NonNull<u8>> {
    // Before the branch, so that what counts the block need not find the size's bucket again.
    let class = Class::of(size);
    // Where blocks are kept apart, C does more than choose a class.
    if PARTITIONED || node != NumaNode::NO_NODE || size > MAX_SLAB_SIZE {
        // SAFETY: By the requirement of this function.
        return unsafe { unusual(size, gfp, node, token) };
    }
    let gfp = gfp.without_zone();
    // SAFETY: The cache is that of the size's class, which is a slab's: the size is not 0 by the
    // requirement of this function, and not above such sizes. Any flags will do.
    let ptr = unsafe {
        if PROFILED {
            bindings::kalloc_helper_kmalloc_cache(class.cache(gfp), gfp.as_raw(), size)
        } else {
            bindings::__kmalloc_cache_noprof(class.cache(gfp), gfp.as_raw(), size)
        }
    };
    NonNull::new(ptr.cast())
}

/// What is no slab's block, or has to be on a node.
///
/// # Safety
///
/// As for [`kmalloc`].
#[cold]
unsafe fn unusual(size: usize, gfp: Gfp, node: NumaNode, token: Token) -> Option<NonNull<u8>> {
    if size > MAX_SIZE {
        return None;
    }
    let gfp = gfp.without_zone().as_raw();
    // SAFETY: Both take any flags, any size from 1 to `MAX_SIZE`, and any node that is online.
    let ptr = unsafe {
        if PARTITIONED || PROFILED || node != NumaNode::NO_NODE {
            bindings::kalloc_helper_kmalloc_node(size, gfp, node::node_id(node)?, token.as_raw())
        } else {
            // For the other reason to be here.
            bindings::__kmalloc_large_noprof(size, gfp)
        }
    };
    NonNull::new(ptr.cast())
}

// SAFETY: kmalloc memory stays until it is freed. Its alignment is the largest power of two that
// divides the size, which is a multiple of the layout's alignment; krealloc is told it.
unsafe impl Source for family::Kmalloc {
    const MIN_ALIGN: usize = bindings::ARCH_KMALLOC_MINALIGN;

    #[inline(always)]
    unsafe fn alloc(request: Request) -> Option<NonNull<u8>> {
        // SAFETY: By the requirement of this function.
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
            // SAFETY: By the requirements of this function.
            return unsafe { krealloc(ptr, request) };
        }
        // krealloc would look up how large the block is, and leave a smaller one all its memory.
        // SAFETY: By the requirements of this function.
        unsafe { relocate::<Self>(ptr, old_size, request) }
    }

    #[inline(always)]
    unsafe fn free(ptr: NonNull<u8>) {
        // SAFETY: By the requirements of this function.
        unsafe { bindings::kfree(ptr.as_ptr().cast()) };
    }

    #[inline(always)]
    fn footprint(_: NonNull<u8>, size: usize) -> usize {
        Class::of(size).size()
    }
}

/// Resizes a block within its class: C keeps books on the bytes requested, for its checkers.
///
/// # Safety
///
/// `ptr` must be a live kmalloc block; the size of `layout` must not be 0.
unsafe fn krealloc(ptr: NonNull<u8>, request: Request) -> Option<NonNull<u8>> {
    // Such a size has no class, whatever its bucket looks like.
    let Request {
        layout,
        gfp,
        node,
        token,
    } = request;
    if layout.size() > MAX_SIZE {
        return None;
    }
    let node = node::node_id(node)?;
    let (ptr, size) = (ptr.as_ptr().cast(), layout.size());
    let (align, gfp) = (layout.align() as c_ulong, gfp.without_zone().as_raw());
    // SAFETY: By the requirements of this function; the node is online.
    let new = unsafe {
        if PARTITIONED {
            bindings::kalloc_helper_krealloc(ptr, size, align, gfp, node, token.as_raw())
        } else {
            bindings::krealloc_node_align(ptr, size, align, gfp, node)
        }
    };
    NonNull::new(new.cast())
}
