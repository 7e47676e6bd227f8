// SPDX-License-Identifier: GPL-2.0

//! Counted allocators for the kernel crate's `Box` and `Vec`.

use crate::{
    accounting::site::{
        self,
        Family,
        Tag, //
    },
    sys::{
        gfp::Gfp,
        node, //
    }, //
};
use core::{
    alloc::Layout,
    marker::PhantomData,
    ptr::NonNull, //
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

/// Whether kmalloc keeps blocks of one size apart, so that who writes behind one does not reach just any
/// other.
pub(crate) const PARTITIONED: bool = cfg!(CONFIG_KMALLOC_PARTITION_CACHES);

/// By what it does: a site's blocks are together, and apart from most others'.
#[derive(Clone, Copy)]
pub struct Token(usize);

impl Token {
    /// That of nobody.
    pub const NONE: Self = Token(0);

    /// That of a site.
    #[inline(always)]
    fn of<S: Tag>() -> Self {
        // Elsewhere nobody asks.
        match PARTITIONED {
            true => Token(core::ptr::from_ref(S::site()).addr()),
            false => Self::NONE,
        }
    }

    /// As C takes it.
    #[inline(always)]
    pub(crate) fn as_raw(self) -> usize {
        self.0
    }
}

/// The parameters of an allocation.
#[derive(Clone, Copy)]
pub struct Request {
    /// The size, which is not 0 and a multiple of the alignment, and the alignment.
    pub layout: Layout,
    /// The allocation flags.
    pub gfp: Gfp,
    /// The NUMA node.
    pub node: NumaNode,
    /// The site's token.
    pub token: Token,
}

/// The C functions behind an allocator: what differs between kmalloc, kvmalloc and vmalloc.
///
/// # Safety
///
/// - Blocks are valid for `layout.size()` bytes until given to `free`, or replaced by `realloc`.
/// - Blocks are aligned to `layout.align()`, if the size is a multiple of it.
/// - `realloc` preserves the contents up to the lesser size.
pub unsafe trait Source: Family {
    /// The alignment that every block has.
    const MIN_ALIGN: usize;

    /// Allocates a block.
    ///
    /// # Safety
    ///
    /// The size of the layout must not be 0, and must be a multiple of its alignment.
    unsafe fn alloc(request: Request) -> Option<NonNull<u8>>;

    /// Resizes a block to the layout of `request`.
    ///
    /// # Safety
    ///
    /// - The size of the layout must not be 0, and must be a multiple of its alignment.
    /// - `ptr` must be a live block of this source, for `old_size` bytes. It is still, if this fails,
    ///   else it is replaced.
    unsafe fn realloc(ptr: NonNull<u8>, old_size: usize, request: Request) -> Option<NonNull<u8>>;

    /// Frees a block.
    ///
    /// # Safety
    ///
    /// `ptr` must be a live block of this source.
    unsafe fn free(ptr: NonNull<u8>);

    /// Returns whether no such block can be had here and now with `gfp`, however much memory there is.
    fn refuses(layout: Layout, _gfp: Gfp, node: NumaNode) -> bool {
        layout.size() > Self::MAX_SIZE || node::node_id(node).is_none()
    }

    /// Returns how many bytes the block at `ptr`, for `size` bytes, takes.
    fn footprint(ptr: NonNull<u8>, size: usize) -> usize;
}

/// Resizes a block by moving its contents to a new one, which takes what its own size takes.
///
/// # Safety
///
/// As for [`Source::realloc`].
#[inline]
pub(crate) unsafe fn relocate<F: Source>(
    ptr: NonNull<u8>,
    old_size: usize,
    request: Request,
) -> Option<NonNull<u8>> {
    // SAFETY: The size of the layout is not 0, and a multiple of its alignment.
    let new = unsafe { F::alloc(request)? };
    // SAFETY: `ptr` is a live block of `old_size` bytes, `new` one of the
    // size of the layout that nothing else refers to. The old block is not used after this.
    unsafe {
        ptr.copy_to_nonoverlapping(new, request.layout.size().min(old_size));
        F::free(ptr);
    }
    Some(new)
}

/// The allocator of family `F` that counts at site `S`.
///
/// Known by the names [`Kmalloc`](crate::alloc::kmalloc::Kmalloc), [`KVmalloc`](crate::alloc::kvmalloc::KVmalloc)
/// and [`Vmalloc`](crate::alloc::vmalloc::Vmalloc).
///
/// # Examples
///
/// ```
/// use kalloc::{accounting::family, Counted, Tag};
/// use kernel::alloc::Vec;
///
/// kalloc::sites! {
///     Queues: kmalloc([u32]), "doc_counted";
/// }
///
/// // What `kalloc::KVec<u32, Queues>` is.
/// let queue = Vec::<u32, Counted<family::Kmalloc, Queues>>::with_capacity(8, GFP_KERNEL)?;
/// assert_eq!(Queues::site().totals().live_bytes, 32);
/// # Ok::<(), Error>(())
/// ```
pub struct Counted<F, S>(PhantomData<(F, S)>);

// SAFETY: Memory comes from the source and stays valid until given back to it; a pointer from one
// function is good for every other. Sizes are padded to a multiple of the alignment, so that by
// the source's guarantees blocks satisfy their layout, and `realloc` keeps the contents. The old
// block is left alone on failure.
unsafe impl<F: Source, S: Tag<Family = F>> Allocator for Counted<F, S> {
    const MIN_ALIGN: usize = F::MIN_ALIGN;

    #[inline(always)]
    fn alloc(layout: Layout, flags: Flags, node: NumaNode) -> Result<NonNull<[u8]>, AllocError> {
        Self::allocate(layout, flags.into(), node)
    }

    #[inline]
    unsafe fn realloc(
        ptr: Option<NonNull<u8>>,
        layout: Layout,
        old_layout: Layout,
        flags: Flags,
        node: NumaNode,
    ) -> Result<NonNull<[u8]>, AllocError> {
        let Some(ptr) = ptr.filter(|_| old_layout.size() != 0) else {
            return Self::allocate(layout, flags.into(), node);
        };
        // SAFETY: By the requirements of this function.
        unsafe { Self::resize(ptr, layout, old_layout, flags.into(), node) }
    }

    #[inline(always)]
    unsafe fn free(ptr: NonNull<u8>, layout: Layout) {
        let size = layout.pad_to_align().size();
        if size != 0 {
            site::count_free::<S>(size, F::footprint(ptr, size));
            // SAFETY: `ptr` is a live block of this allocator, and so of its source.
            unsafe { F::free(ptr) };
        }
    }
}

impl<F: Source, S: Tag<Family = F>> Counted<F, S> {
    /// Allocates `layout`, and counts it.
    #[inline(always)]
    fn allocate(layout: Layout, gfp: Gfp, node: NumaNode) -> Result<NonNull<[u8]>, AllocError> {
        let layout = layout.pad_to_align();
        if layout.size() == 0 {
            return Ok(dangling::<F>(layout));
        }
        // SAFETY: Just padded, and not 0.
        let Some(ptr) = (unsafe { F::alloc(Self::request(layout, gfp, node)) }) else {
            return Err(Self::failure(layout, gfp, node));
        };
        site::count_alloc::<S>(layout.size(), F::footprint(ptr, layout.size()));
        Ok(NonNull::slice_from_raw_parts(ptr, layout.size()))
    }

    /// Resizes a block, and counts that as one allocated and one freed.
    ///
    /// # Safety
    ///
    /// As for [`Allocator::realloc`]; `old_layout`'s size is not 0.
    #[inline]
    unsafe fn resize(
        ptr: NonNull<u8>,
        layout: Layout,
        old_layout: Layout,
        gfp: Gfp,
        node: NumaNode,
    ) -> Result<NonNull<[u8]>, AllocError> {
        let layout = layout.pad_to_align();
        if layout.size() == 0 {
            // SAFETY: By the requirements of this function.
            unsafe { Self::free(ptr, old_layout) };
            return Ok(dangling::<F>(layout));
        }
        let old_size = old_layout.pad_to_align().size();
        let old_footprint = F::footprint(ptr, old_size);
        // SAFETY: `ptr` is a live block of this allocator, and so of its source. The layout is padded, and
        // its size not 0.
        let new = unsafe { F::realloc(ptr, old_size, Self::request(layout, gfp, node)) };
        let Some(new) = new else {
            return Err(Self::failure(layout, gfp, node));
        };
        site::count_alloc::<S>(layout.size(), F::footprint(new, layout.size()));
        site::count_free::<S>(old_size, old_footprint);
        Ok(NonNull::slice_from_raw_parts(new, layout.size()))
    }

    /// Returns the parameters of an allocation for the site.
    #[inline(always)]
    fn request(layout: Layout, gfp: Gfp, node: NumaNode) -> Request {
        Request {
            layout,
            gfp,
            node,
            token: Token::of::<S>(),
        }
    }

    /// Counts a failure.
    #[cold]
    fn failure(layout: Layout, gfp: Gfp, node: NumaNode) -> AllocError {
        site::count_failure::<S>(gfp, F::refuses(layout, gfp, node));
        AllocError
    }
}

/// What stands for a block of no bytes.
fn dangling<F: Source>(layout: Layout) -> NonNull<[u8]> {
    let ptr = core::ptr::without_provenance_mut(layout.align().max(F::MIN_ALIGN));
    // SAFETY: An alignment is not 0.
    NonNull::slice_from_raw_parts(unsafe { NonNull::new_unchecked(ptr) }, 0)
}
