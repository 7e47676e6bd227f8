// SPDX-License-Identifier: GPL-2.0-only

//! vmalloc: virtually contiguous memory made of single pages, and vmap.
//!
//! [`Vmalloc<S>`] is an allocator in the sense of [`kernel::alloc`]: [`VBox`] and [`VVec`] are the
//! kernel crate's own `Box` and `Vec` with it. [`Array`](crate::Array) is a zeroed array that can
//! be resized. [`Mapping`] maps existing pages.
//!
//! | C | here |
//! |---|---|
//! | `vmalloc(sizeof(T))`, `vfree` | [`VBox::new`](Box::new), drop |
//! | `vzalloc`, `vrealloc` | [`Array::zeroed`](crate::Array::zeroed), [`Array::resize`](crate::Array::resize) |
//! | `vmap`, `vunmap` | [`Mapping::new`], [`Mapping::read_only`], drop |
//! | `vfree_atomic` | drop in atomic context |
//! | `vmalloc_to_page` | [`page_iter`](kernel::page::AsPageIter::page_iter) of [`VmallocPages`]; [`page_info::pfn_of`](crate::mm::page_info::pfn_of), [`page_info::pfns`](crate::mm::page_info::pfns) |
//! | `vmalloc_user` | [`Array::zeroed`](crate::Array::zeroed) of whole pages, which can be [mapped](crate::mm::mmap) |
//!
//! # Context
//!
//! With flags that sleep, allocating and mapping need process context, and fail in a context that
//! is known to be atomic. With flags that do not sleep (`GFP_ATOMIC`, `GFP_NOWAIT`), allocating
//! also works under spinlocks. It fails in hard and soft interrupts, and where either are disabled.
//!
//! Dropping is allowed in any context but NMI. In atomic context, the memory is counted as freed at
//! once, and a worker frees it soon after.
//!
//! [`Mapping`]: crate::Mapping
//! [`Mapping::new`]: crate::Mapping::new
//! [`Mapping::read_only`]: crate::Mapping::read_only
//!
//! C header: [`include/linux/vmalloc.h`](srctree/include/linux/vmalloc.h)

mod pages;

pub use self::pages::VmallocPages;

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
        Counted,
        Request,
        Source,
    },
    sys::{
        bindings,
        context,
        deferred_free,
        gfp::Gfp,
        node, //
    }, //
};
use core::{
    alloc::Layout,
    ptr::NonNull, //
};
use kernel::{
    alloc::{
        Box,
        NumaNode,
        Vec, //
    },
    ffi::c_ulong,
    page::PAGE_SIZE,
    prelude::*, //
};

impl Family for family::Vmalloc {
    const NAME: &'static str = "vmalloc";
    const MAX_SIZE: usize = usize::MAX;

    fn unit_footprint(site: &Site) -> usize {
        whole_pages(site.unit())
    }

    fn shape(site: &Site, live: &Totals) -> Shape {
        match site.unit() {
            0 => Shape::mixed(live),
            unit => Shape::pages(whole_pages(unit), live),
        }
    }
}

/// The vmalloc allocator, counting at site `S`.
///
/// # Examples
///
/// ```
/// use kalloc::{Array, Vmalloc};
///
/// kalloc::sites! {
///     Logs: vmalloc([u8]), "doc_vmalloc";
/// }
///
/// let mut log = Array::<u8, Vmalloc<Logs>>::zeroed(1 << 20, GFP_KERNEL)?;
/// log.resize(2 << 20, GFP_KERNEL)?;
/// assert_eq!(log.len(), 2 << 20);
/// # Ok::<(), Error>(())
/// ```
pub type Vmalloc<S> = Counted<family::Vmalloc, S>;

/// A `T` in vmalloc memory.
///
/// # Examples
///
/// ```
/// use kalloc::VBox;
///
/// kalloc::sites! {
///     Bitmaps: vmalloc([u64; 1 << 16]), "doc_vbox";
/// }
///
/// // It is zeroed in place: half a megabyte would not fit on the stack.
/// let bitmap = VBox::<[u64; 1 << 16], Bitmaps>::zeroed(GFP_KERNEL)?;
/// assert_eq!(bitmap.last(), Some(&0));
/// # Ok::<(), Error>(())
/// ```
pub type VBox<T, S> = Box<T, Vmalloc<S>>;
/// A growing array in vmalloc memory.
///
/// # Examples
///
/// ```
/// use kalloc::VVec;
///
/// kalloc::sites! {
///     Traces: vmalloc([u64]), "doc_vvec";
/// }
///
/// let mut trace = VVec::<u64, Traces>::with_capacity(10_000, GFP_KERNEL)?;
/// trace.push(7, GFP_KERNEL)?;
/// assert_eq!(trace.first(), Some(&7));
/// # Ok::<(), Error>(())
/// ```
pub type VVec<T, S> = Vec<T, Vmalloc<S>>;

/// Returns the largest possible size: the machine's memory. vmalloc would only warn about a larger
/// one.
///
/// # Examples
///
/// ```
/// use kalloc::{alloc::vmalloc, Array, Vmalloc};
///
/// kalloc::sites! {
///     Logs: vmalloc([u8]), "doc_max_size";
/// }
///
/// let much = Array::<u8, Vmalloc<Logs>>::zeroed(vmalloc::max_size() + 1, GFP_KERNEL);
/// assert!(much.is_err());
/// ```
pub fn max_size() -> usize {
    // SAFETY: The helper only reads a counter.
    let pages = unsafe { bindings::kalloc_helper_totalram_pages() } as usize;
    pages.saturating_mul(PAGE_SIZE)
}

// SAFETY: vmalloc memory stays valid until it is freed, and has the requested alignment. vrealloc
// keeps the contents.
unsafe impl Source for family::Vmalloc {
    const MIN_ALIGN: usize = PAGE_SIZE;

    // Out of line, the parameters would go through memory.
    #[inline(always)]
    unsafe fn alloc(request: Request) -> Option<NonNull<u8>> {
        let Request {
            layout, gfp, node, ..
        } = request;
        if layout.align() > PAGE_SIZE || node != NumaNode::NO_NODE {
            // SAFETY: The caller guarantees that the size is not 0, and a multiple of the
            // alignment. NULL requests a new block.
            return unsafe { vrealloc(core::ptr::null(), layout, gfp, node) };
        }
        if !fits(layout) {
            return None;
        }
        let (size, flags) = (padded(layout), gfp.without_zone().as_raw());
        // SAFETY: The size is not above the machine's memory. Both functions check the context
        // themselves.
        let ptr = unsafe {
            if gfp.may_sleep() {
                bindings::kalloc_helper_vmalloc(size, flags)
            } else {
                bindings::kalloc_helper_vmalloc_nowait(size, flags)
            }
        };
        NonNull::new(ptr.cast())
    }

    #[inline]
    unsafe fn realloc(ptr: NonNull<u8>, old_size: usize, request: Request) -> Option<NonNull<u8>> {
        let Request {
            layout, gfp, node, ..
        } = request;
        // If the block moved, C would free the old one at once, which may sleep.
        let grows = layout.size() > old_size && !context::known_sleepable();
        let shrinks = whole_pages(layout.size()) < whole_pages(old_size) && !frees_tails(gfp);
        if grows || shrinks {
            // SAFETY: The caller guarantees that `ptr` is a live vmalloc block of `old_size` bytes,
            // and that the new size is not 0 and a multiple of the alignment.
            return unsafe { relocate::<Self>(ptr, old_size, request) };
        }
        // SAFETY: The caller guarantees that `ptr` is a live vmalloc block, and that the size is
        // not 0 and a multiple of the alignment.
        unsafe { vrealloc(ptr.as_ptr().cast_const(), layout, gfp, node) }
    }

    #[inline]
    unsafe fn free(ptr: NonNull<u8>) {
        // SAFETY: The caller guarantees that `ptr` is a live vmalloc block that nothing uses
        // afterwards.
        unsafe { free(ptr) };
    }

    fn refuses(layout: Layout, gfp: Gfp, node: NumaNode) -> bool {
        !possible(layout, gfp) || node::node_id(node).is_none()
    }

    #[inline]
    fn footprint(_: NonNull<u8>, size: usize) -> usize {
        whole_pages(size)
    }
}

// SAFETY: A block is one of `vrealloc_node_align()`.
#[cfg(KERNEL_VMALLOC_BACKED)]
unsafe impl<S: crate::accounting::site::Tag<Family = family::Vmalloc>>
    kernel::alloc::allocator::VmallocBacked for Vmalloc<S>
{
}

/// Returns the bytes of the pages that hold `size` bytes.
///
/// A block takes no more. C is not called for a size that it would round up to larger pages, or for
/// a smaller size if the block would keep its pages.
#[inline]
pub(crate) fn whole_pages(size: usize) -> usize {
    size.next_multiple_of(PAGE_SIZE)
}

/// Returns whether C frees the pages that a block of single pages no longer needs when it shrinks
/// in place.
///
/// C allocates memory for kmemleak in the process, and therefore keeps the pages if the flags
/// forbid I/O or file-system calls.
#[inline]
fn frees_tails(gfp: Gfp) -> bool {
    cfg!(not(LINUX_7_2)) && gfp.has_io_fs()
}

/// Returns the size of the pages with which C may map a kvmalloc block of `size` bytes.
///
/// The block then takes a whole number of these pages, and keeps them all when it shrinks in place.
#[inline]
const fn page_size_for(size: usize) -> usize {
    // CAST: The constants are sizes.
    const PMD_SIZE: usize = bindings::VMAP_PMD_SIZE as usize;
    const PTE_SIZE: usize = bindings::VMAP_PTE_SIZE as usize;
    if size >= PMD_SIZE {
        PMD_SIZE
    } else if size >= PTE_SIZE {
        PTE_SIZE
    } else {
        PAGE_SIZE
    }
}

/// Returns whether a kvmalloc block of `size` bytes takes more than the pages that hold it, if C
/// maps it with larger pages.
#[inline]
pub(crate) fn is_rounded_up(size: usize) -> bool {
    whole_pages(size) % page_size_for(size) != 0
}

/// Returns whether C may have mapped a kvmalloc block of `size` bytes with larger pages. The block
/// must take no more than the pages that hold it.
#[inline]
pub(crate) fn may_be_huge(size: usize) -> bool {
    let size = whole_pages(size);
    page_size_for(size) > PAGE_SIZE && size % page_size_for(size) == 0
}

/// Returns whether the machine has enough memory for the layout.
#[inline]
fn fits(layout: Layout) -> bool {
    // Every machine has a megabyte, and most sizes are known at compile time.
    layout.size() <= 1 << 20 || layout.size() <= max_size()
}

/// Returns the size to request from C. KASAN checks accesses to the rest of the page, and a block
/// must have room for an entry of [`deferred_free`].
#[inline(always)]
fn padded(layout: Layout) -> usize {
    layout.size().max(size_of::<deferred_free::Entry>())
}

/// Frees a block, immediately or by the worker.
///
/// # Safety
///
/// - `ptr` must be a live vmalloc block from this module, which has room for an entry of
///   [`deferred_free`].
/// - Nothing may use it afterwards.
#[inline]
pub(crate) unsafe fn free(ptr: NonNull<u8>) {
    // SAFETY: The caller guarantees that `ptr` is a live vmalloc block with room for an entry, and
    // not used afterwards.
    unsafe { bindings::kalloc_helper_vfree(ptr.as_ptr().cast()) };
}

/// Returns whether C may be called in this context: vmalloc must not be called in interrupts, and
/// must not sleep in atomic context.
#[inline]
pub(crate) fn may_be_asked(gfp: Gfp) -> bool {
    if gfp.may_sleep() {
        !context::known_atomic()
    } else {
        context::can_vmalloc()
    }
}

/// Returns whether C may be called for this layout. C would only warn about a size that is too
/// large.
#[inline]
fn possible(layout: Layout, gfp: Gfp) -> bool {
    fits(layout) && may_be_asked(gfp)
}

/// Allocates a block, or resizes one, by `vrealloc_node_align()`.
///
/// # Safety
///
/// - `ptr` must be NULL or a live vmalloc block, which is aligned to `layout.align()`.
/// - The size of the layout must not be 0, and must be a multiple of its alignment.
#[inline]
unsafe fn vrealloc(
    ptr: *const u8,
    layout: Layout,
    gfp: Gfp,
    node: NumaNode,
) -> Option<NonNull<u8>> {
    if !possible(layout, gfp) {
        return None;
    }
    let node = node::node_id(node)?;
    // SAFETY: The caller guarantees that `ptr` is NULL or a live, aligned vmalloc block. The size
    // is neither 0, which would free the block, nor above the machine's memory. This is not an
    // interrupt, and the node is online.
    NonNull::new(unsafe {
        bindings::kalloc_helper_vrealloc(
            ptr.cast(),
            padded(layout),
            layout.align() as c_ulong,
            gfp.without_zone().as_raw(),
            node,
        )
        .cast()
    })
}
