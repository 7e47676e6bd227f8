// SPDX-License-Identifier: GPL-2.0-only

//! A counted page as the kernel crate's [`Page`].

use crate::{
    accounting::site,
    page::{
        order::Order,
        Block,
        BlockKind,
        PageSite,
        StructPage, //
    }, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref, //
};
use kernel::page::{
    BorrowedPage,
    Page,
    PAGE_SIZE, //
};

impl<S: PageSite> Block<StructPage, S> {
    /// Converts a block of one page into one that serves as the kernel crate's [`Page`].
    ///
    /// # Errors
    ///
    /// Returns the block if it has several pages.
    pub fn into_page(self) -> Result<KernelPage<S>, Self> {
        if self.order() != Order::ZERO {
            return Err(self);
        }
        let handle = ManuallyDrop::new(self).handle;
        // INVARIANT: The block is moved out of `self`, and has one page.
        Ok(KernelPage {
            // SAFETY: The page is live until the new owner is dropped, which does not use the
            // borrowed page afterwards.
            page: unsafe { BorrowedPage::from_raw(handle.page()) },
            handle,
            _site: PhantomData,
        })
    }
}

/// A page that serves as the kernel crate's [`Page`], counted at site `S`.
///
/// A [`Page`] can be mapped into user space
/// ([`vm_insert_page`](kernel::mm::virt::VmaMixedMap::vm_insert_page)), and be written there at any
/// time. A `KernelPage` therefore gives no access to its bytes as a slice, and does not convert back
/// into a block.
///
/// A mapping holds a reference to the page. It keeps the memory valid after this owner is dropped,
/// but the page is counted as freed by then.
///
/// # Examples
///
/// ```
/// use kalloc::{page::KernelPage, Order, Pages, Tag};
/// use kernel::{mm::virt::VmaMixedMap, page::Page};
///
/// kalloc::sites! {
///     Rings: pages, "doc_kernel_page";
/// }
///
/// /// Maps a page at the start of an area.
/// fn map(vma: &VmaMixedMap, page: &KernelPage<Rings>) -> Result {
///     vma.vm_insert_page(vma.start(), page)
/// }
///
/// let ring = Pages::<Rings>::zeroed(Order::ZERO, GFP_KERNEL)?;
/// let (pfn, node) = (ring.pfn(), ring.node());
/// let page: KernelPage<Rings> = ring.into_page().map_err(|_| EINVAL)?;
/// assert_eq!(page.nid(), node);
/// assert_eq!(Rings::site().totals().live(), 1);
/// # let _ = (map, pfn);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// - `handle` is a live, initialized page of order 0 that `self` has allocated at site `S`.
/// - `page` is that page.
pub struct KernelPage<S: PageSite> {
    page: BorrowedPage<'static>,
    handle: StructPage,
    _site: PhantomData<fn() -> S>,
}

impl<S: PageSite> Deref for KernelPage<S> {
    type Target = Page;

    #[inline]
    fn deref(&self) -> &Page {
        &self.page
    }
}

impl<S: PageSite> Drop for KernelPage<S> {
    fn drop(&mut self) {
        site::count_free::<S>(PAGE_SIZE, PAGE_SIZE);
        // SAFETY: By the type invariants, the page is live and of order 0. Nothing uses it
        // afterwards, but mappings with references of their own.
        unsafe { self.handle.free(Order::ZERO) };
    }
}
