// SPDX-License-Identifier: GPL-2.0

//! vmalloc: virtually contiguous memory made of single pages, and vmap.
//!
//! [`Vmalloc<S>`] is an allocator in the sense of [`kernel::alloc`]: [`VBox`] and [`VVec`] are
//! the kernel crate's own `Box` and `Vec` with it, and [`Array`](crate::Array) is a zeroed array
//! that can be resized. [`Mapping`] maps pages that are there already.
//!
//! | C | here |
//! |---|---|
//! | `vmalloc(sizeof(T))`, `vfree` | [`VBox::new`](Box::new), drop |
//! | `vzalloc`, `vrealloc` | [`Array::zeroed`](crate::Array::zeroed), [`Array::resize`](crate::Array::resize) |
//! | `vmap`, `vunmap` | [`Mapping::new`], drop |
//! | `vmalloc_to_page` | [`page_iter`](kernel::page::AsPageIter::page_iter) of the upstream types; [`pfn_of`] |
//!
//! # Context
//!
//! Process context only: allocating, mapping and freeing may sleep. Allocating with flags that do
//! not allow sleeping fails where C would have to sleep.
//!
//! C header: [`include/linux/vmalloc.h`](srctree/include/linux/vmalloc.h)

use crate::{
    allocator::{
        Counted,
        Source, //
    },
    bindings,
    gfp::{
        self,
        Gfp, //
    },
    pages::PageArray,
    site::{
        Family,
        Shape,
        Site,
        Tag, //
    },
    stats::Totals, //
};
use core::{
    alloc::Layout,
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull, //
};
use kernel::{
    alloc::{
        AllocError,
        Box,
        NumaNode,
        Vec, //
    },
    ffi::c_ulong,
    page::PAGE_SIZE,
    prelude::*, //
};

/// The family of [`Vmalloc`].
pub struct Mapped;

impl Family for Mapped {
    const NAME: &'static str = "vmalloc";

    fn shape(site: &Site, live: &Totals) -> Shape {
        match site.unit() {
            0 => Shape::mixed(live),
            unit => {
                let bytes = unit.next_multiple_of(PAGE_SIZE);
                // CAST: Blocks above 4 GiB are shown as just below it.
                let object = u32::try_from(bytes).unwrap_or(u32::MAX);
                Shape::packed([object, 1, object.div_ceil(PAGE_SIZE as u32)], live.live())
            }
        }
    }
}

/// The vmalloc allocator, counting at site `S`.
pub type Vmalloc<S> = Counted<Mapped, S>;

/// A `T` in vmalloc memory.
pub type VBox<T, S> = Box<T, Vmalloc<S>>;
/// A growing array in vmalloc memory.
pub type VVec<T, S> = Vec<T, Vmalloc<S>>;

/// The largest block that can be had at all: the machine's memory. vmalloc would only warn.
pub fn max_size() -> usize {
    // SAFETY: Reads a counter.
    let pages = unsafe { bindings::kalloc_helper_totalram_pages() } as usize;
    pages.saturating_mul(PAGE_SIZE)
}

// SAFETY: vmalloc memory stays until it is freed, and is aligned as asked; vrealloc keeps the
// contents.
unsafe impl Source for Mapped {
    const MIN_ALIGN: usize = PAGE_SIZE;

    #[inline]
    fn alloc(layout: Layout, gfp: Gfp, node: NumaNode) -> Option<NonNull<u8>> {
        // SAFETY: NULL asks for a new block.
        unsafe { vrealloc(core::ptr::null(), layout, gfp, node) }
    }

    #[inline]
    unsafe fn realloc(
        ptr: NonNull<u8>,
        _old_size: usize,
        layout: Layout,
        gfp: Gfp,
        node: NumaNode,
    ) -> Option<NonNull<u8>> {
        // SAFETY: By the requirements of this function.
        unsafe { vrealloc(ptr.as_ptr().cast_const(), layout, gfp, node) }
    }

    #[inline]
    unsafe fn free(ptr: NonNull<u8>) {
        // SAFETY: By the requirements of this function.
        unsafe { bindings::vfree(ptr.as_ptr().cast()) };
    }

    #[inline]
    fn footprint(_: NonNull<u8>, size: usize) -> usize {
        size.next_multiple_of(PAGE_SIZE)
    }
}

/// # Safety
///
/// `ptr` must be NULL or a live vmalloc block.
#[inline]
unsafe fn vrealloc(
    ptr: *const u8,
    layout: Layout,
    gfp: Gfp,
    node: NumaNode,
) -> Option<NonNull<u8>> {
    if layout.size() > max_size() {
        return None;
    }
    // SAFETY: By the requirements of this function; the size is neither 0, which would free the
    // block, nor above the machine's memory.
    NonNull::new(unsafe {
        bindings::vrealloc_node_align_noprof(
            ptr.cast(),
            layout.size(),
            layout.align() as c_ulong,
            gfp.without_zone().as_raw(),
            gfp::node_id(node),
        )
        .cast()
    })
}

/// Returns the page frame number behind an address in a vmalloc block.
///
/// # Errors
///
/// [`EINVAL`] if the address is not mapped there.
pub fn pfn_of<T: ?Sized>(block: &T, offset: usize) -> Result<usize> {
    if offset >= size_of_val(block) {
        return Err(EINVAL);
    }
    let addr = core::ptr::from_ref(block).cast::<u8>().wrapping_add(offset);
    // SAFETY: Takes any address.
    if !unsafe { bindings::is_vmalloc_addr(addr.cast()) } {
        return Err(EINVAL);
    }
    // SAFETY: A vmalloc address, in a block that is borrowed and so stays mapped.
    let page = unsafe { bindings::vmalloc_to_page(addr.cast()) };
    if page.is_null() {
        return Err(EINVAL);
    }
    // SAFETY: The page exists, being mapped.
    Ok(unsafe { bindings::kalloc_helper_page_to_pfn(page) } as usize)
}

/// Pages mapped side by side into the vmalloc area: `vmap()`.
///
/// Borrows the pages, which therefore stay allocated, and are reached through nothing else, until
/// the mapping is gone.
///
/// # Invariants
///
/// `addr` is the start of a mapping of all of `pages`, made by `vmap()`.
pub struct Mapping<'p, S: Tag<Family = crate::family::pages>> {
    addr: NonNull<u8>,
    pages: &'p mut PageArray<S>,
}

// SAFETY: The mapping is memory like any other, and belongs to no thread.
unsafe impl<S: Tag<Family = crate::family::pages>> Send for Mapping<'_, S> {}
// SAFETY: As above; a shared reference only reads.
unsafe impl<S: Tag<Family = crate::family::pages>> Sync for Mapping<'_, S> {}

impl<'p, S: Tag<Family = crate::family::pages>> Mapping<'p, S> {
    /// Maps `pages`, in their order.
    ///
    /// # Context
    ///
    /// Process context; may sleep. So may dropping it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no room or no memory for page tables.
    pub fn new(pages: &'p mut PageArray<S>) -> Result<Self, AllocError> {
        // CAST: `PageArray` limits its length to what fits.
        let count = pages.len() as u32;
        // SAFETY: The array has `count` pages, which are allocated.
        let addr = unsafe { bindings::kalloc_helper_vmap(pages.as_mut_ptr(), count) };
        // INVARIANT: All pages were mapped, at `addr`.
        Ok(Mapping {
            addr: NonNull::new(addr.cast()).ok_or(AllocError)?,
            pages,
        })
    }
}

impl<S: Tag<Family = crate::family::pages>> Deref for Mapping<'_, S> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: By the invariants, all pages are mapped there; they are initialised, being a
        // `PageArray`'s, and borrowed by `self` alone.
        unsafe { core::slice::from_raw_parts(self.addr.as_ptr(), self.pages.len() * PAGE_SIZE) }
    }
}

impl<S: Tag<Family = crate::family::pages>> DerefMut for Mapping<'_, S> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: As for `deref`; `self` is borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.addr.as_ptr(), self.pages.len() * PAGE_SIZE) }
    }
}

impl<S: Tag<Family = crate::family::pages>> Drop for Mapping<'_, S> {
    fn drop(&mut self) {
        // SAFETY: By the invariants; the pages are freed later, being borrowed.
        unsafe { bindings::vunmap(self.addr.as_ptr().cast()) };
    }
}
