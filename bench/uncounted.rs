// SPDX-License-Identifier: GPL-2.0-only

//! The calls of kalloc without counting: the difference is the cost of counting.

use core::{
    alloc::Layout,
    ptr::NonNull, //
};
use kalloc::{
    accounting::family,
    alloc::allocator::{
        Request,
        Source,
        Token, //
    }, //
};
use kernel::{
    alloc::{
        AllocError,
        Allocator,
        Flags,
        NumaNode, //
    },
    prelude::*, //
};

/// The kmalloc allocator of kalloc, without counting.
pub(crate) struct Uncounted;

// SAFETY: The blocks are those of the source, which guarantees their validity. Sizes are padded to
// a multiple of the alignment, so that blocks satisfy their layout. `realloc` of a block fails and
// leaves the block unchanged.
unsafe impl Allocator for Uncounted {
    const MIN_ALIGN: usize = <family::Kmalloc as Source>::MIN_ALIGN;

    #[inline(always)]
    fn alloc(layout: Layout, flags: Flags, node: NumaNode) -> Result<NonNull<[u8]>, AllocError> {
        let layout = layout.pad_to_align();
        if layout.size() == 0 {
            return Err(AllocError);
        }
        // SAFETY: The layout is padded, and its size is not 0.
        let ptr = unsafe {
            family::Kmalloc::alloc(Request {
                layout,
                gfp: flags.into(),
                node,
                token: Token::NONE,
            })
        }
        .ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(ptr, layout.size()))
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
        Self::alloc(layout, flags, node)
    }

    #[inline(always)]
    unsafe fn free(ptr: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            // SAFETY: The caller guarantees that `ptr` is a live block of the source, which is not
            // used afterwards.
            unsafe { family::Kmalloc::free(ptr) };
        }
    }
}
