// SPDX-License-Identifier: GPL-2.0

//! Blocks held by their first `struct page`.

use super::sealed;
use crate::{
    page::order::Order,
    sys::{
        bindings,
        context,
        deferred_free,
        gfp::Gfp, //
    }, //
};
use core::{
    ptr::NonNull,
    sync::atomic::{
        fence,
        Ordering, //
    }, //
};

/// `page_address()` of a page in the direct mapping, which is arithmetic.
///
/// # Safety
///
/// `page` must be a live page.
#[inline(always)]
unsafe fn page_address(page: *mut bindings::page) -> *mut u8 {
    #[cfg(all(CONFIG_X86_64, CONFIG_SPARSEMEM_VMEMMAP))]
    {
        use kernel::page::PAGE_SIZE;

        // SAFETY: Both are set at boot and stay.
        let (map, direct) = unsafe { (bindings::vmemmap_base, bindings::page_offset_base) };
        const { assert!(PAGE_SIZE % size_of::<bindings::page>() == 0) };
        // OVERFLOW: None: the page is in the map, and its memory in the direct mapping.
        let offset = (page as usize)
            .wrapping_sub(map)
            .wrapping_mul(PAGE_SIZE / size_of::<bindings::page>());
        core::ptr::with_exposed_provenance_mut(direct.wrapping_add(offset))
    }
    #[cfg(not(all(CONFIG_X86_64, CONFIG_SPARSEMEM_VMEMMAP)))]
    // SAFETY: By the requirements of this function.
    unsafe {
        bindings::kalloc_helper_page_address(page).cast()
    }
}

/// A block's first `struct page`.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     page::{Block, ByPage},
///     Order, Pages,
/// };
///
/// kalloc::sites! {
///     Rings: pages, "doc_by_page";
/// }
///
/// let ring: Pages<Rings> = Block::<ByPage, _>::zeroed(Order::ZERO, GFP_KERNEL)?;
/// assert_eq!(ring.order(), Order::ZERO);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The page is in the direct mapping.
#[derive(Clone, Copy)]
pub struct ByPage(NonNull<bindings::page>);

// SAFETY: A page belongs to no thread.
unsafe impl Send for ByPage {}
// SAFETY: As above.
unsafe impl Sync for ByPage {}

// SAFETY: Without `__GFP_HIGHMEM`, a block is in the direct mapping.
unsafe impl sealed::Raw for ByPage {
    type Size = Order;

    #[inline(always)]
    unsafe fn alloc(order: Order, gfp: Gfp) -> Option<Self> {
        let gfp = gfp.without_highmem().as_raw();
        // SAFETY: The order is valid. The kernel's own profiler needs the call to be made in C.
        let page = unsafe {
            if cfg!(CONFIG_MEM_ALLOC_PROFILING) {
                bindings::alloc_pages(gfp, order.get())
            } else {
                bindings::alloc_pages_noprof(gfp, order.get())
            }
        };
        // INVARIANT: Not from high memory.
        NonNull::new(page).map(ByPage)
    }

    #[inline(always)]
    unsafe fn free(self, order: Order) {
        // SAFETY: By the requirements of this function.
        unsafe { bindings::__free_pages(self.0.as_ptr(), order.get()) };
    }

    #[inline]
    fn address(self) -> NonNull<u8> {
        // SAFETY: A live page in the direct mapping has an address, which is not NULL.
        unsafe { NonNull::new_unchecked(page_address(self.0.as_ptr())) }
    }

    #[inline]
    fn page(self) -> NonNull<bindings::page> {
        self.0
    }
}

// SAFETY: `split_page()` gives each page a count of its own; the pages of a block follow each other.
unsafe impl sealed::Divide for ByPage {
    type Single = ByPage;

    unsafe fn divide(self, order: Order) {
        // SAFETY: By the requirements of this function; the block is no compound page.
        unsafe { bindings::split_page(self.0.as_ptr(), order.get()) };
    }

    #[inline]
    unsafe fn single(self, index: usize) -> ByPage {
        // INVARIANT: As the whole block was.
        // SAFETY: By the requirements of this function, the page is in the block.
        ByPage(unsafe { self.0.add(index) })
    }
}

/// A compound page's first `struct page`: what C calls a folio.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     page::{Block, ByFolio},
///     CompoundPages, Order,
/// };
///
/// kalloc::sites! {
///     Tables: pages, "doc_by_folio";
/// }
///
/// let table: CompoundPages<Tables> = Block::<ByFolio, _>::zeroed(Order::ZERO, GFP_KERNEL)?;
/// assert!(table.share().iter().all(|&byte| byte == 0));
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The page is in the direct mapping, and was allocated with `__GFP_COMP`.
#[derive(Clone, Copy)]
pub struct ByFolio(pub(super) ByPage);

// SAFETY: As for `ByPage`.
unsafe impl sealed::Raw for ByFolio {
    type Size = Order;

    #[inline]
    unsafe fn alloc(order: Order, gfp: Gfp) -> Option<Self> {
        // SAFETY: By the requirement of this function.
        let page = unsafe { ByPage::alloc(order, gfp | Gfp::COMP) };
        // INVARIANT: As `ByPage::alloc` says.
        page.map(ByFolio)
    }

    /// Gives the owner's reference up, here or by the worker. With the last one, C frees the block at once
    /// and touches each `struct page`, which takes too long for the largest order where the caller may not
    /// sleep.
    #[inline]
    unsafe fn free(self, order: Order) {
        if order == Order::MAX && context::known_atomic() && self.is_last() {
            let entry = self.address().cast();
            // SAFETY: The memory is of pages, larger than an entry, and aligned. Nothing else uses it: the
            // last reference is the caller's, by the requirements of this function.
            return unsafe { deferred_free::push(entry, free_largest) };
        }
        // SAFETY: By the requirements of this function.
        unsafe { self.0.free(order) };
    }

    #[inline]
    fn address(self) -> NonNull<u8> {
        self.0.address()
    }

    #[inline]
    fn page(self) -> NonNull<bindings::page> {
        self.0.page()
    }
}

impl ByFolio {
    /// Returns whether there is one reference, the caller's.
    fn is_last(self) -> bool {
        // SAFETY: By the invariants, the page is live.
        let last = unsafe { bindings::kalloc_helper_page_ref_count(self.0 .0.as_ptr()) == 1 };
        // Pairs with the release of the others, who have read the memory before: `put_page()`.
        fence(Ordering::Acquire);
        last
    }
}

/// # Safety
///
/// `entry` must be the start of a compound page of the largest order, to which there is no reference but the
/// caller's.
unsafe fn free_largest(entry: NonNull<deferred_free::Entry>) {
    // SAFETY: By the requirement of this function; the entry is not on the list any more.
    unsafe {
        let page = bindings::kalloc_helper_virt_to_page(entry.as_ptr().cast());
        bindings::__free_pages(page, Order::MAX.get());
    }
}
