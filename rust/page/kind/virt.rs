// SPDX-License-Identifier: GPL-2.0-only

//! Blocks held by their address.

use super::{
    BlockKind,
    SplitKind, //
};
use crate::{
    page::{
        exact,
        order::{
            Order,
            PageCount, //
        }, //
    },
    sys::{
        bindings,
        gfp::Gfp, //
    }, //
};
use core::ptr::NonNull;
use kernel::{
    ffi::c_ulong,
    page::PAGE_SIZE, //
};

/// The address of a block in the direct map (`unsigned long` in C).
///
/// # Examples
///
/// ```
/// use kalloc::{
///     page::{Block, Virt},
///     FreePages, Order,
/// };
///
/// kalloc::sites! {
///     Logs: pages, "doc_virt";
/// }
///
/// let log: FreePages<Logs> = Block::<Virt, _>::zeroed(Order::ZERO, GFP_KERNEL)?;
/// assert_eq!(log.order(), Order::ZERO);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The address is that of a block from `__get_free_pages()`.
#[derive(Clone, Copy)]
pub struct Virt(NonNull<u8>);

// SAFETY: An address is not bound to a thread.
unsafe impl Send for Virt {}
// SAFETY: An address is not bound to a thread, and a shared handle only copies it.
unsafe impl Sync for Virt {}

// SAFETY: `__get_free_pages()` returns the block's address in the direct map.
unsafe impl BlockKind for Virt {
    type Size = Order;

    #[inline(always)]
    unsafe fn alloc(order: Order, gfp: Gfp) -> Option<Self> {
        let gfp = gfp.without_highmem().as_raw();
        // SAFETY: The order is valid. Allocation profiling attributes an allocation to its C call
        // site, and so needs the C function.
        let address = unsafe {
            if cfg!(CONFIG_MEM_ALLOC_PROFILING) {
                bindings::kalloc_helper_get_free_pages(gfp, order.get())
            } else {
                bindings::get_free_pages_noprof(gfp, order.get())
            }
        };
        // INVARIANT: `__get_free_pages()` has just returned it. The direct map's provenance is
        // exposed.
        NonNull::new(core::ptr::with_exposed_provenance_mut(address as usize)).map(Virt)
    }

    #[inline(always)]
    unsafe fn free(self, order: Order) {
        // SAFETY: The caller guarantees that the block is live and of this order.
        unsafe { bindings::free_pages(self.0.as_ptr() as c_ulong, order.get()) };
    }

    #[inline]
    fn address(self) -> NonNull<u8> {
        self.0
    }

    #[inline]
    unsafe fn at(address: NonNull<u8>) -> Self {
        // INVARIANT: The caller guarantees a block from `__get_free_pages()`.
        Virt(address)
    }

    #[inline]
    fn size_of(pages: PageCount) -> Order {
        Order::of_block(pages)
    }

    #[inline]
    fn page(self) -> NonNull<bindings::page> {
        // SAFETY: By the type invariants, the address is in the direct map, of which every page has
        // a `struct page`.
        unsafe {
            let page = bindings::kalloc_helper_virt_to_page(self.0.as_ptr().cast());
            NonNull::new_unchecked(page)
        }
    }
}

// SAFETY: `split_page()` gives each page a count of its own, and the addresses of a block's pages
// are contiguous.
unsafe impl SplitKind for Virt {
    type Single = Virt;

    unsafe fn divide(self, order: Order) {
        // SAFETY: The caller guarantees that the block is live and of this order. It is not a
        // compound page.
        unsafe { bindings::split_page(self.page().as_ptr(), order.get()) };
    }

    #[inline]
    unsafe fn single(self, index: usize) -> Virt {
        // INVARIANT: The page is from `__get_free_pages()`, and was split.
        // SAFETY: The caller guarantees that the page is in the block.
        Virt(unsafe { self.0.add(index * PAGE_SIZE) })
    }
}

/// The address of any number of pages in the direct map.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     page::{Block, Exact},
///     ExactPages, PageCount,
/// };
///
/// kalloc::sites! {
///     Frames: pages, "doc_exact";
/// }
///
/// let frame: ExactPages<Frames> = Block::<Exact, _>::zeroed(PageCount::of::<3>(), GFP_KERNEL)?;
/// assert_eq!(frame.len(), PageCount::of::<3>().bytes());
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The address is that of a block from `alloc_pages_exact()`.
#[derive(Clone, Copy)]
pub struct Exact(Virt);

// SAFETY: `alloc_pages_exact()` returns the block's address in the direct map.
unsafe impl BlockKind for Exact {
    type Size = PageCount;

    unsafe fn alloc(count: PageCount, gfp: Gfp) -> Option<Self> {
        let gfp = gfp.without_highmem().as_raw();
        // SAFETY: `PageCount` guarantees a size that is not 0 and at most that of the largest
        // order.
        let address = unsafe { bindings::kalloc_helper_alloc_pages_exact(count.bytes(), gfp) };
        // INVARIANT: `alloc_pages_exact()` has just returned it, as contiguous pages of order 0.
        NonNull::new(address.cast()).map(|address| Exact(Virt(address)))
    }

    unsafe fn free(self, count: PageCount) {
        // SAFETY: By the type invariants, the pages are of order 0 and in the direct map. The
        // caller guarantees that they are live, and their number, which is not 0.
        unsafe { exact::free(self.address(), count.bytes() / PAGE_SIZE) };
    }

    #[inline]
    fn address(self) -> NonNull<u8> {
        self.0.address()
    }

    #[inline]
    unsafe fn at(address: NonNull<u8>) -> Self {
        // INVARIANT: The caller guarantees a block from `alloc_pages_exact()`.
        // SAFETY: The caller guarantees a live block.
        Exact(unsafe { Virt::at(address) })
    }

    #[inline]
    fn size_of(pages: PageCount) -> PageCount {
        pages
    }

    #[inline]
    fn page(self) -> NonNull<bindings::page> {
        self.0.page()
    }
}

// SAFETY: Such a block consists of single pages from the start.
unsafe impl SplitKind for Exact {
    type Single = Virt;

    unsafe fn divide(self, _: PageCount) {}

    #[inline]
    unsafe fn single(self, index: usize) -> Virt {
        // SAFETY: The caller guarantees that the page is in the block.
        unsafe { self.0.single(index) }
    }
}
