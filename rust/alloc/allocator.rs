// SPDX-License-Identifier: GPL-2.0-only

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

/// A flag: kmalloc uses partitioned caches (`CONFIG_KMALLOC_PARTITION_CACHES`), which limit the
/// objects that a heap overflow reaches.
pub(crate) const PARTITIONED: bool = cfg!(CONFIG_KMALLOC_PARTITION_CACHES);

/// A partition token: selects the kmalloc partition of a site.
#[derive(Clone, Copy)]
pub struct Token(usize);

impl Token {
    /// The token without a site.
    pub const NONE: Self = Token(0);

    /// Returns the token of a site.
    #[inline(always)]
    fn of<S: Tag>() -> Self {
        // Without partitioned caches, C ignores the token.
        match PARTITIONED {
            true => Token(core::ptr::from_ref(S::site()).addr()),
            false => Self::NONE,
        }
    }

    /// Returns the token as C takes it.
    #[inline(always)]
    pub(crate) fn as_raw(self) -> usize {
        self.0
    }
}

/// The parameters of an allocation.
#[derive(Clone, Copy)]
pub struct Request {
    /// The size and the alignment. The size is not 0, and is a multiple of the alignment.
    pub layout: Layout,
    /// The allocation flags.
    pub gfp: Gfp,
    /// The NUMA node.
    pub node: NumaNode,
    /// The token of the site.
    pub token: Token,
}

/// The C functions behind an allocator, which differ between kmalloc, kvmalloc and vmalloc.
///
/// # Safety
///
/// - A block must be valid for `layout.size()` bytes until it is given to `free` or replaced by
///   `realloc`.
/// - A block must be aligned to `layout.align()`, if the size is a multiple of it.
/// - `realloc` must preserve the contents up to the lesser size.
pub unsafe trait Source: Family {
    /// The minimum alignment of a block.
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
    /// - `ptr` must be a live block of this source, of `old_size` bytes. The block stays live if
    ///   the call fails, and is replaced otherwise.
    unsafe fn realloc(ptr: NonNull<u8>, old_size: usize, request: Request) -> Option<NonNull<u8>>;

    /// Frees a block.
    ///
    /// # Safety
    ///
    /// - `ptr` must be a live block of this source.
    /// - Nothing may use it afterwards.
    unsafe fn free(ptr: NonNull<u8>);

    /// Returns whether this request must fail with `gfp` in this context, independent of free
    /// memory.
    fn refuses(layout: Layout, _gfp: Gfp, node: NumaNode) -> bool {
        layout.size() > Self::MAX_SIZE || node::node_id(node).is_none()
    }

    /// Returns the footprint in bytes of the block at `ptr`, which was allocated for `size` bytes.
    fn footprint(ptr: NonNull<u8>, size: usize) -> usize;
}

/// Resizes a block by moving its contents to a new block, whose footprint depends only on its own
/// size.
///
/// # Safety
///
/// - The size of the layout must not be 0, and must be a multiple of its alignment.
/// - `ptr` must be a live block of this source, of `old_size` bytes. The block stays live if the
///   call fails, and is replaced otherwise.
#[inline]
pub(crate) unsafe fn relocate<F: Source>(
    ptr: NonNull<u8>,
    old_size: usize,
    request: Request,
) -> Option<NonNull<u8>> {
    // SAFETY: The caller guarantees that the size of the layout is not 0, and is a multiple of its
    // alignment.
    let new = unsafe { F::alloc(request)? };
    // SAFETY: `ptr` is a live block of `old_size` bytes. `new` is a block of `layout.size()` bytes
    // that nothing else refers to. The old block is not used after this.
    unsafe {
        ptr.copy_to_nonoverlapping(new, request.layout.size().min(old_size));
        F::free(ptr);
    }
    Some(new)
}

/// The allocator of family `F` that counts at site `S`.
///
/// Its aliases are [`Kmalloc`](crate::alloc::kmalloc::Kmalloc),
/// [`KVmalloc`](crate::alloc::kvmalloc::KVmalloc) and [`Vmalloc`](crate::alloc::vmalloc::Vmalloc).
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
/// // The type behind the alias `kalloc::KVec<u32, Queues>`.
/// let queue = Vec::<u32, Counted<family::Kmalloc, Queues>>::with_capacity(8, GFP_KERNEL)?;
/// assert_eq!(Queues::site().totals().live_bytes, 32);
/// # Ok::<(), Error>(())
/// ```
pub struct Counted<F, S>(PhantomData<(F, S)>);

// SAFETY: Memory comes from the source and stays valid until it is given back. A pointer from one
// function is valid for every other. Sizes are padded to a multiple of the alignment, so that by
// the source's guarantees blocks satisfy their layout, and `realloc` keeps the contents. A failing
// `realloc` leaves the old block unchanged.
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
        // SAFETY: The caller guarantees that `ptr` is a live block of this allocator with
        // `old_layout`, whose size is not 0.
        unsafe { Self::resize(ptr, layout, old_layout, flags.into(), node) }
    }

    #[inline(always)]
    unsafe fn free(ptr: NonNull<u8>, layout: Layout) {
        let size = layout.pad_to_align().size();
        if size != 0 {
            site::count_free::<S>(size, F::footprint(ptr, size));
            // SAFETY: `ptr` is a live block of this allocator, and therefore of its source.
            unsafe { F::free(ptr) };
        }
    }
}

impl<F: Source, S: Tag<Family = F>> Counted<F, S> {
    /// Allocates a block for `layout` and counts it.
    #[inline(always)]
    fn allocate(layout: Layout, gfp: Gfp, node: NumaNode) -> Result<NonNull<[u8]>, AllocError> {
        let layout = layout.pad_to_align();
        if layout.size() == 0 {
            return Ok(dangling::<F>(layout));
        }
        // SAFETY: The layout is padded, and its size is not 0.
        let Some(ptr) = (unsafe { F::alloc(Self::request(layout, gfp, node)) }) else {
            return Err(Self::failure(layout, gfp, node));
        };
        site::count_alloc::<S>(layout.size(), F::footprint(ptr, layout.size()));
        Ok(NonNull::slice_from_raw_parts(ptr, layout.size()))
    }

    /// Resizes a block, and counts one allocation and one free.
    ///
    /// # Safety
    ///
    /// - `ptr` must be a live block of this allocator with `old_layout`, whose size is not 0.
    /// - The block must not be used afterwards if this function succeeds.
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
            // SAFETY: The caller guarantees that `ptr` is a live block of this allocator with
            // `old_layout`.
            unsafe { Self::free(ptr, old_layout) };
            return Ok(dangling::<F>(layout));
        }
        let old_size = old_layout.pad_to_align().size();
        let old_footprint = F::footprint(ptr, old_size);
        // SAFETY: `ptr` is a live block of this allocator, and therefore of its source. The layout
        // is padded, and its size is not 0.
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

    /// Counts a failed allocation.
    #[cold]
    fn failure(layout: Layout, gfp: Gfp, node: NumaNode) -> AllocError {
        site::count_failure::<S>(gfp, F::refuses(layout, gfp, node));
        AllocError
    }
}

/// Returns the pointer that represents a block of 0 bytes.
fn dangling<F: Source>(layout: Layout) -> NonNull<[u8]> {
    let ptr = core::ptr::without_provenance_mut(layout.align().max(F::MIN_ALIGN));
    // SAFETY: An alignment is not 0.
    NonNull::slice_from_raw_parts(unsafe { NonNull::new_unchecked(ptr) }, 0)
}
