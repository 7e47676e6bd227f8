// SPDX-License-Identifier: GPL-2.0

//! Blocks held by their address.

use super::sealed::{
    self,
    Raw as _, //
};
use crate::page::exact;
use crate::{
    page::order::{
        Order,
        PageCount, //
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

/// A block's address in the direct mapping.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     page::{Block, ByAddress},
///     FreePages, Order,
/// };
///
/// kalloc::sites! {
///     Logs: pages, "doc_by_address";
/// }
///
/// let log: FreePages<Logs> = Block::<ByAddress, _>::zeroed(Order::ZERO, GFP_KERNEL)?;
/// assert_eq!(log.order(), Order::ZERO);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The address is that of a block from `__get_free_pages()`.
#[derive(Clone, Copy)]
pub struct ByAddress(NonNull<u8>);

// SAFETY: An address belongs to no thread.
unsafe impl Send for ByAddress {}
// SAFETY: As above.
unsafe impl Sync for ByAddress {}

// SAFETY: `__get_free_pages()` returns the block's address in the direct mapping.
unsafe impl sealed::Raw for ByAddress {
    type Size = Order;

    #[inline(always)]
    unsafe fn alloc(order: Order, gfp: Gfp) -> Option<Self> {
        let gfp = gfp.without_highmem().as_raw();
        // SAFETY: The order is valid. The kernel's own profiler needs the call to be made in C.
        let address = unsafe {
            if cfg!(CONFIG_MEM_ALLOC_PROFILING) {
                bindings::kalloc_helper_get_free_pages(gfp, order.get())
            } else {
                bindings::get_free_pages_noprof(gfp, order.get())
            }
        };
        // INVARIANT: Just returned by it. The direct mapping's provenance is exposed.
        NonNull::new(core::ptr::with_exposed_provenance_mut(address as usize)).map(ByAddress)
    }

    #[inline(always)]
    unsafe fn free(self, order: Order) {
        // SAFETY: By the requirements of this function.
        unsafe { bindings::free_pages(self.0.as_ptr() as c_ulong, order.get()) };
    }

    #[inline]
    fn address(self) -> NonNull<u8> {
        self.0
    }

    #[inline]
    fn page(self) -> NonNull<bindings::page> {
        // SAFETY: By the invariants; every page of the direct mapping has a `struct page`.
        unsafe {
            let page = bindings::kalloc_helper_virt_to_page(self.0.as_ptr().cast());
            NonNull::new_unchecked(page)
        }
    }
}

// SAFETY: As for `ByPage`; so do their addresses.
unsafe impl sealed::Divide for ByAddress {
    type Single = ByAddress;

    unsafe fn divide(self, order: Order) {
        // SAFETY: By the requirements of this function; the block is no compound page.
        unsafe { bindings::split_page(self.page().as_ptr(), order.get()) };
    }

    #[inline]
    unsafe fn single(self, index: usize) -> ByAddress {
        // INVARIANT: A page from `__get_free_pages()`, split.
        // SAFETY: By the requirements of this function, the page is in the block.
        ByAddress(unsafe { self.0.add(index * PAGE_SIZE) })
    }
}

/// The address of any number of pages in the direct mapping.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     page::{Block, ByCount},
///     ExactPages, PageCount,
/// };
///
/// kalloc::sites! {
///     Frames: pages, "doc_by_count";
/// }
///
/// let frame: ExactPages<Frames> = Block::<ByCount, _>::zeroed(PageCount::of::<3>(), GFP_KERNEL)?;
/// assert_eq!(frame.len(), PageCount::of::<3>().bytes());
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The address is that of a block from `alloc_pages_exact()`.
#[derive(Clone, Copy)]
pub struct ByCount(ByAddress);

// SAFETY: `alloc_pages_exact()` returns the block's address in the direct mapping.
unsafe impl sealed::Raw for ByCount {
    type Size = PageCount;

    unsafe fn alloc(count: PageCount, gfp: Gfp) -> Option<Self> {
        let gfp = gfp.without_highmem().as_raw();
        // SAFETY: A block of so many pages is of a valid order.
        let address = unsafe { bindings::kalloc_helper_alloc_pages_exact(count.bytes(), gfp) };
        // INVARIANT: Just returned by it, as pages of order 0 that follow each other.
        NonNull::new(address.cast()).map(|address| ByCount(ByAddress(address)))
    }

    unsafe fn free(self, count: PageCount) {
        // SAFETY: By the invariants and the requirements of this function, so many live pages of order 0
        // in the direct mapping, at least one.
        unsafe { exact::free(self.address(), count.bytes() / PAGE_SIZE) };
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

// SAFETY: Such a block is made of single pages.
unsafe impl sealed::Divide for ByCount {
    type Single = ByAddress;

    unsafe fn divide(self, _: PageCount) {}

    #[inline]
    unsafe fn single(self, index: usize) -> ByAddress {
        // SAFETY: By the requirements of this function.
        unsafe { self.0.single(index) }
    }
}
