// SPDX-License-Identifier: GPL-2.0

//! The calls that kalloc makes, without the counting: the difference is what counting costs.

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

/// kmalloc as kalloc has it.
pub(crate) struct Uncounted;

// SAFETY: By the guarantees of the source, whose blocks these are, with sizes padded to a multiple of
// the alignment. There is no `realloc` of a block: it fails and leaves the block alone.
unsafe impl Allocator for Uncounted {
    const MIN_ALIGN: usize = <family::Kmalloc as Source>::MIN_ALIGN;

    #[inline(always)]
    fn alloc(layout: Layout, flags: Flags, node: NumaNode) -> Result<NonNull<[u8]>, AllocError> {
        let layout = layout.pad_to_align();
        if layout.size() == 0 {
            return Err(AllocError);
        }
        // SAFETY: Just padded, and not 0.
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
            // SAFETY: A live block of the source, by the requirements of this function.
            unsafe { family::Kmalloc::free(ptr) };
        }
    }
}
