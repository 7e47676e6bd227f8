// SPDX-License-Identifier: GPL-2.0-only

//! Blocks held by their first `struct page`.

use super::{
    BlockKind,
    SplitKind, //
};
use crate::{
    page::order::{
        Order,
        PageCount, //
    },
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

/// Returns the address of a page in the direct map, by arithmetic like `page_address()`.
///
/// # Safety
///
/// `page` must be a live page.
#[inline(always)]
unsafe fn page_address(page: *mut bindings::page) -> *mut u8 {
    #[cfg(all(CONFIG_X86_64, CONFIG_SPARSEMEM_VMEMMAP))]
    {
        use kernel::page::PAGE_SIZE;

        // SAFETY: The kernel sets both variables at boot and never changes them.
        let (map, direct) = unsafe { (bindings::vmemmap_base, bindings::page_offset_base) };
        const { assert!(PAGE_SIZE % size_of::<bindings::page>() == 0) };
        // OVERFLOW: None: the page is in the memory map, and its memory in the direct map.
        let offset = (page as usize)
            .wrapping_sub(map)
            .wrapping_mul(PAGE_SIZE / size_of::<bindings::page>());
        core::ptr::with_exposed_provenance_mut(direct.wrapping_add(offset))
    }
    #[cfg(not(all(CONFIG_X86_64, CONFIG_SPARSEMEM_VMEMMAP)))]
    // SAFETY: The caller guarantees that the page is live.
    unsafe {
        bindings::kalloc_helper_page_address(page).cast()
    }
}

/// The first `struct page` of a block.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     page::{Block, StructPage},
///     Order, Pages,
/// };
///
/// kalloc::sites! {
///     Rings: pages, "doc_struct_page";
/// }
///
/// let ring: Pages<Rings> = Block::<StructPage, _>::zeroed(Order::ZERO, GFP_KERNEL)?;
/// assert_eq!(ring.order(), Order::ZERO);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The page is in the direct map.
#[derive(Clone, Copy)]
pub struct StructPage(NonNull<bindings::page>);

// SAFETY: A page is not bound to a thread.
unsafe impl Send for StructPage {}
// SAFETY: A page is not bound to a thread, and a shared handle only copies the pointer.
unsafe impl Sync for StructPage {}

// SAFETY: Without `__GFP_HIGHMEM`, a block is in the direct map.
unsafe impl BlockKind for StructPage {
    type Size = Order;

    #[inline(always)]
    unsafe fn alloc(order: Order, gfp: Gfp) -> Option<Self> {
        let gfp = gfp.without_highmem().as_raw();
        // SAFETY: The order is valid. Allocation profiling attributes an allocation to its C call
        // site, and so needs the C function.
        let page = unsafe {
            if cfg!(CONFIG_MEM_ALLOC_PROFILING) {
                bindings::kalloc_helper_alloc_pages(gfp, order.get())
            } else {
                bindings::alloc_pages_noprof(gfp, order.get())
            }
        };
        // INVARIANT: The block is not from high memory.
        NonNull::new(page).map(StructPage)
    }

    #[inline(always)]
    unsafe fn free(self, order: Order) {
        // SAFETY: The caller guarantees that the block is live and of this order.
        unsafe { bindings::__free_pages(self.0.as_ptr(), order.get()) };
    }

    #[inline]
    fn address(self) -> NonNull<u8> {
        // SAFETY: A live page in the direct map has an address, which is not NULL.
        unsafe { NonNull::new_unchecked(page_address(self.0.as_ptr())) }
    }

    #[inline]
    unsafe fn at(address: NonNull<u8>) -> Self {
        // INVARIANT: The caller guarantees a block, which is in the direct map.
        // SAFETY: Each page of the direct map has a `struct page`.
        StructPage(unsafe {
            let page = bindings::kalloc_helper_virt_to_page(address.as_ptr().cast());
            NonNull::new_unchecked(page)
        })
    }

    #[inline]
    fn size_of(pages: PageCount) -> Order {
        Order::of_block(pages)
    }

    #[inline]
    fn page(self) -> NonNull<bindings::page> {
        self.0
    }
}

// SAFETY: `split_page()` gives each page a count of its own, and the pages of a block are
// contiguous.
unsafe impl SplitKind for StructPage {
    type Single = StructPage;

    unsafe fn divide(self, order: Order) {
        // SAFETY: The caller guarantees that the block is live and of this order. It is not a
        // compound page.
        unsafe { bindings::split_page(self.0.as_ptr(), order.get()) };
    }

    #[inline]
    unsafe fn single(self, index: usize) -> StructPage {
        // INVARIANT: The whole block was in the direct map.
        // SAFETY: The caller guarantees that the page is in the block.
        StructPage(unsafe { self.0.add(index) })
    }
}

/// The first `struct page` of a compound page, a folio in C (`struct folio`).
///
/// # Examples
///
/// ```
/// use kalloc::{
///     page::{Block, Folio},
///     CompoundPages, Order,
/// };
///
/// kalloc::sites! {
///     Tables: pages, "doc_folio";
/// }
///
/// let table: CompoundPages<Tables> = Block::<Folio, _>::zeroed(Order::ZERO, GFP_KERNEL)?;
/// assert!(table.share().iter().all(|&byte| byte == 0));
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The page is in the direct map, and was allocated with `__GFP_COMP`.
#[derive(Clone, Copy)]
pub struct Folio(StructPage);

// SAFETY: Without `__GFP_HIGHMEM`, a block is in the direct map.
unsafe impl BlockKind for Folio {
    type Size = Order;

    #[inline]
    unsafe fn alloc(order: Order, gfp: Gfp) -> Option<Self> {
        // SAFETY: The caller counts the block.
        let page = unsafe { StructPage::alloc(order, gfp | Gfp::COMP) };
        // INVARIANT: `StructPage::alloc` returns a page in the direct map, and was given `__GFP_COMP`.
        page.map(Folio)
    }

    /// Gives up the owner's reference, immediately or by the worker.
    ///
    /// With the last reference, C frees the block at once and writes each `struct page`. For the
    /// largest order, that takes too long in atomic context.
    #[inline]
    unsafe fn free(self, order: Order) {
        if order == Order::MAX && context::known_atomic() && self.is_last() {
            let entry = self.address().cast();
            // SAFETY: The block is larger than an entry and aligned. Nothing else uses it: the
            // caller holds the last reference.
            return unsafe { deferred_free::push(entry, free_largest) };
        }
        // SAFETY: The caller guarantees that the block is of this order and holds a reference to
        // it.
        unsafe { self.0.free(order) };
    }

    #[inline]
    fn address(self) -> NonNull<u8> {
        self.0.address()
    }

    #[inline]
    unsafe fn at(address: NonNull<u8>) -> Self {
        // INVARIANT: The caller guarantees a compound page in the direct map.
        // SAFETY: The caller guarantees a live block.
        Folio(unsafe { StructPage::at(address) })
    }

    #[inline]
    fn size_of(pages: PageCount) -> Order {
        Order::of_block(pages)
    }

    #[inline]
    fn page(self) -> NonNull<bindings::page> {
        self.0.page()
    }
}

impl Folio {
    /// Returns whether the caller holds the only reference.
    fn is_last(self) -> bool {
        // SAFETY: The caller of `free` holds a reference, so the page is live.
        let last = unsafe { bindings::kalloc_helper_page_ref_count(self.0 .0.as_ptr()) == 1 };
        // Pairs with the release in `put_page()` of the other references' holders, who read the
        // memory before it.
        fence(Ordering::Acquire);
        last
    }
}

/// Frees a compound page of the largest order.
///
/// # Safety
///
/// - `entry` must be the start of a compound page of the largest order.
/// - The caller must hold the only reference to it.
unsafe fn free_largest(entry: NonNull<deferred_free::Entry>) {
    // SAFETY: The caller guarantees that this is the only reference to a compound page of this
    // order. The entry is no longer on the list.
    unsafe {
        let page = bindings::kalloc_helper_virt_to_page(entry.as_ptr().cast());
        bindings::__free_pages(page, Order::MAX.get());
    }
}
