// SPDX-License-Identifier: GPL-2.0-only

//! kvmalloc: kmalloc if it has a block, else vmalloc.

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
    alloc::{
        allocator::{
            relocate, //
            Counted,
            Request,
            Source,
        },
        kmalloc::{
            backend::shape,
            size_class::Class, //
            MAX_SIZE,
        },
        vmalloc, //
    },
    sys::{
        bindings,
        context,
        gfp::Gfp,
        node, //
    }, //
};
use core::{
    alloc::Layout,
    ptr::NonNull, //
};
use kernel::{
    alloc::{Box, NumaNode, Vec},
    ffi::c_ulong,
    page::PAGE_SIZE, //
};

/// The kvmalloc allocator, counting at site `S`: kmalloc if it has a block, else vmalloc.
///
/// # Examples
///
/// ```
/// use kalloc::{alloc::kmalloc::MAX_SIZE, Array, KVmalloc};
///
/// kalloc::sites! {
///     Tables: kvmalloc([u8]), "doc_kvmalloc";
/// }
///
/// // This is more than the limit of kmalloc.
/// let table = Array::<u8, KVmalloc<Tables>>::zeroed(MAX_SIZE + 1, GFP_KERNEL)?;
/// assert_eq!(table.last(), Some(&0));
/// # Ok::<(), Error>(())
/// ```
pub type KVmalloc<S> = Counted<family::KVmalloc, S>;

/// A `T` in kvmalloc memory.
///
/// # Examples
///
/// ```
/// use kalloc::KVBox;
///
/// kalloc::sites! {
///     Bitmaps: kvmalloc([u64; 1 << 16]), "doc_kvbox";
/// }
///
/// // It is zeroed in place: half a megabyte would not fit on the stack.
/// let bitmap = KVBox::<[u64; 1 << 16], Bitmaps>::zeroed(GFP_KERNEL)?;
/// assert_eq!(bitmap.last(), Some(&0));
/// # Ok::<(), Error>(())
/// ```
pub type KVBox<T, S> = Box<T, KVmalloc<S>>;

/// A growing array in kvmalloc memory.
///
/// # Examples
///
/// ```
/// use kalloc::KVVec;
///
/// kalloc::sites! {
///     Lists: kvmalloc([u64]), "doc_kvvec";
/// }
///
/// let mut list = KVVec::<u64, Lists>::with_capacity(100_000, GFP_KERNEL)?;
/// list.push(7, GFP_KERNEL)?;
/// assert_eq!(list.first(), Some(&7));
/// # Ok::<(), Error>(())
/// ```
pub type KVVec<T, S> = Vec<T, KVmalloc<S>>;

impl Family for family::KVmalloc {
    const NAME: &'static str = "kvmalloc";
    const MAX_SIZE: usize = i32::MAX as usize;
    const VARIES: bool = true;

    fn unit_footprint(site: &Site) -> usize {
        site.unit()
    }

    fn shape(site: &Site, live: &Totals) -> Shape {
        shape(site.unit(), live)
    }
}

// SAFETY: kvmalloc memory stays valid until it is freed, and has the requested alignment.
unsafe impl Source for family::KVmalloc {
    const MIN_ALIGN: usize = bindings::ARCH_KMALLOC_MINALIGN;

    #[inline]
    unsafe fn alloc(request: Request) -> Option<NonNull<u8>> {
        if vmalloc::is_rounded_up(request.layout.size()) {
            // SAFETY: The caller guarantees that the size is not 0, and a multiple of the
            // alignment.
            return unsafe { exact(request) };
        }
        // SAFETY: The caller guarantees that the size is not 0, and a multiple of the alignment.
        // NULL requests a new block.
        unsafe { kvrealloc(core::ptr::null(), request) }
    }

    #[inline]
    unsafe fn realloc(ptr: NonNull<u8>, old_size: usize, request: Request) -> Option<NonNull<u8>> {
        let size = request.layout.size();
        // C would leave all its memory to a block that is mapped with larger pages.
        let keeps_huge = vmalloc::whole_pages(size) < vmalloc::whole_pages(old_size)
            && vmalloc::may_be_huge(old_size);
        if is_vmalloc(ptr) && !keeps_huge && size <= max_kvmalloc_size() {
            // SAFETY: `ptr` is in the vmalloc area, so it is a vmalloc block. The caller guarantees
            // that it is live and of `old_size` bytes, and that the new size is not 0 and a
            // multiple of the alignment.
            return unsafe { family::Vmalloc::realloc(ptr, old_size, request) };
        }
        if !is_vmalloc(ptr) && size < old_size {
            // SAFETY: A kvmalloc block outside the vmalloc area is a kmalloc block, and a smaller
            // kmalloc block is a valid kvmalloc block. The caller guarantees that it is live and of
            // `old_size` bytes, and that the new size is not 0 and a multiple of the alignment.
            return unsafe { family::Kmalloc::realloc(ptr, old_size, request) };
        }
        if !is_vmalloc(ptr) && !vmalloc::is_rounded_up(size) {
            // SAFETY: The caller guarantees that `ptr` is a live kvmalloc block, and that the size
            // is not 0 and a multiple of the alignment.
            return unsafe { kvrealloc(ptr.as_ptr().cast_const(), request) };
        }
        // SAFETY: The caller guarantees that `ptr` is a live kvmalloc block of `old_size` bytes,
        // and that the new size is not 0 and a multiple of the alignment.
        unsafe { relocate::<Self>(ptr, old_size, request) }
    }

    #[inline]
    unsafe fn free(ptr: NonNull<u8>) {
        if is_vmalloc(ptr) {
            // SAFETY: The caller guarantees that the block is live and not used afterwards. In the
            // vmalloc area it is a vmalloc block, of more than a page, or resized as one.
            unsafe { vmalloc::free(ptr) };
        } else {
            // SAFETY: The caller guarantees that the block is live and not used afterwards. Outside
            // the vmalloc area it is a kmalloc block.
            unsafe { bindings::kfree(ptr.as_ptr().cast()) };
        }
    }

    fn refuses(layout: Layout, gfp: Gfp, node: NumaNode) -> bool {
        let interrupt = layout.size() > PAGE_SIZE && !context::can_vmalloc();
        // Sleeping flags in atomic context are a caller's error, even for a small block that
        // vmalloc never serves.
        let sleeps = gfp.may_sleep() && context::known_atomic();
        let misplaced = interrupt || sleeps;
        layout.size() > max_kvmalloc_size() || misplaced || node::node_id(node).is_none()
    }

    #[inline]
    fn footprint(ptr: NonNull<u8>, size: usize) -> usize {
        if is_vmalloc(ptr) {
            vmalloc::whole_pages(size)
        } else {
            Class::of(size).size()
        }
    }
}

/// Allocates a block that vmalloc, if kvmalloc called it, might round up to whole larger pages. It
/// comes from kmalloc, or from vmalloc as single pages.
///
/// # Safety
///
/// The size of the layout must not be 0, and must be a multiple of its alignment.
#[inline(never)]
unsafe fn exact(request: Request) -> Option<NonNull<u8>> {
    let size = request.layout.size();
    if size > max_kvmalloc_size() || !vmalloc::may_be_asked(request.gfp) {
        return None;
    }
    let contiguous = if size <= MAX_SIZE {
        // SAFETY: The caller guarantees that the size is not 0, and a multiple of the alignment.
        unsafe {
            family::Kmalloc::alloc(Request {
                gfp: request.gfp.replaceable(),
                ..request
            })
        }
    } else {
        None
    };
    // SAFETY: The caller guarantees that the size is not 0, and a multiple of the alignment.
    contiguous.or_else(|| unsafe { family::Vmalloc::alloc(request) })
}

/// Returns the largest size of kvmalloc.
#[inline]
fn max_kvmalloc_size() -> usize {
    family::KVmalloc::MAX_SIZE.min(vmalloc::max_size())
}

#[inline]
fn is_vmalloc(ptr: NonNull<u8>) -> bool {
    // SAFETY: `is_vmalloc_addr()` accepts any address.
    unsafe { bindings::is_vmalloc_addr(ptr.as_ptr().cast()) }
}

/// Allocates a block, or resizes one, by `kvrealloc_node_align()`.
///
/// # Safety
///
/// - `ptr` must be NULL or a live kvmalloc block, which is aligned to `layout.align()`.
/// - The size of the layout must not be 0, and must be a multiple of its alignment.
#[inline]
unsafe fn kvrealloc(ptr: *const u8, request: Request) -> Option<NonNull<u8>> {
    let Request {
        layout,
        gfp,
        node,
        token,
    } = request;
    let size = layout.size();
    // C warns about such a size before it fails.
    if size > max_kvmalloc_size() {
        return None;
    }
    // kvmalloc tries kmalloc first, without sleeping. If that fails, C would go on to vmalloc.
    if size > PAGE_SIZE && !vmalloc::may_be_asked(gfp) {
        return None;
    }
    let node = node::node_id(node)?;
    let (align, gfp) = (layout.align() as c_ulong, gfp.without_zone().as_raw());
    // SAFETY: The caller guarantees that `ptr` is NULL or a live, aligned kvmalloc block, and that
    // the size is not 0. The node is online.
    let new = unsafe {
        bindings::kalloc_helper_kvrealloc(ptr.cast(), size, align, gfp, node, token.as_raw())
    };
    NonNull::new(new.cast())
}
