// SPDX-License-Identifier: GPL-2.0-only

//! Compound pages with many owners.
//!
//! Two counts describe the users of a block. The *owners* are [`SharedPages`], which the site
//! counts as one block. The `private` word of the `struct page`, which belongs to the allocating
//! code, holds their number. The page's own *reference* count covers all users: mappings in user
//! space, drivers of devices, [`PageRef`]s. All owners together hold one reference.
//!
//! When the last owner is dropped, the block is counted as freed, exactly once, and the owners'
//! reference is put. If it was the last reference, the memory returns to the page allocator at that
//! moment. Otherwise the other references keep the memory valid, possibly beyond the life of the
//! site and its module.
//!
//! The number of owners has as many bits as an address, so that it cannot overflow. The page's
//! reference count has 32 bits, which safe code could overflow by forgetting references. The number
//! of [`PageRef`]s is therefore limited, and the number of owners is not.

use crate::{
    accounting::site,
    page::{
        order::Order,
        zone::Zone, //
        Block,
        BlockKind,
        Folio,
        PageSite,
    },
    sys::bindings, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    ptr::NonNull,
    sync::atomic::{
        fence,
        AtomicUsize,
        Ordering, //
    }, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

impl<S: PageSite> Block<Folio, S> {
    /// Converts the block into one that many owners can share and read.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::{CompoundPages, Order};
    ///
    /// kalloc::sites! {
    ///     Tables: pages, "doc_share";
    /// }
    ///
    /// let mut table = CompoundPages::<Tables>::zeroed(Order::ZERO, GFP_KERNEL)?;
    /// table.fill(1);
    /// // From now on, the block is read-only.
    /// let table = table.share();
    /// assert_eq!((table.first(), table.order()), (Some(&1), Order::ZERO));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn share(self) -> SharedPages<S> {
        let this = ManuallyDrop::new(self);
        let shared = SharedPages {
            folio: this.handle,
            order: this.size,
            _site: PhantomData,
        };
        // INVARIANT: The block is moved out of `self`. There is one owner, which holds the
        // reference of the allocation.
        shared.owners().store(1, Ordering::Relaxed);
        shared
    }
}

/// One of the owners of a compound page, a folio in C (`struct folio`).
///
/// All owners can read the block. Site `S` counts it as one block, until the last owner is dropped.
///
/// C code and [`PageRef`]s may hold further references to the pages. They keep the memory valid
/// after the last owner is dropped, but the block is counted as freed by then.
///
/// # Examples
///
/// ```
/// use kalloc::{CompoundPages, Order, SharedPages, Tag};
///
/// kalloc::sites! {
///     Tables: pages, "doc_shared_pages";
/// }
///
/// let table: SharedPages<Tables> = CompoundPages::zeroed(Order::of::<1>(), GFP_KERNEL)?.share();
/// let reader = table.clone();
/// assert_eq!((reader.pfn(), reader.order()), (table.pfn(), table.order()));
/// // It cannot be written while there is another owner.
/// let Err(table) = table.try_into_unique() else {
///     return Err(EBUSY);
/// };
///
/// drop(reader);
/// let mut table = table.try_into_unique().map_err(|_| EBUSY)?;
/// table.fill(1);
/// assert_eq!(Tables::site().totals().live(), 1);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// - `folio` is a live, initialized compound page of `order`, and is never written.
/// - Its `private` word is the number of `SharedPages` for it, which together hold one reference.
pub struct SharedPages<S: PageSite> {
    folio: Folio,
    order: Order,
    _site: PhantomData<fn() -> S>,
}

impl<S: PageSite> SharedPages<S> {
    /// Separates an owner into its block and the order, without giving up its share.
    pub(super) fn into_parts(self) -> (Folio, Order) {
        let this = ManuallyDrop::new(self);
        (this.folio, this.order)
    }

    /// Creates an owner that has already been counted.
    ///
    /// # Safety
    ///
    /// `folio` must be a shared compound page of this order and site, whose number of owners
    /// includes the new one.
    pub(super) unsafe fn from_parts(folio: Folio, order: Order) -> Self {
        // INVARIANT: The caller guarantees the invariants.
        SharedPages {
            folio,
            order,
            _site: PhantomData,
        }
    }

    /// Returns the block's order.
    #[inline]
    pub fn order(&self) -> Order {
        self.order
    }

    /// Returns the page frame number of the first page. The other pages follow it.
    pub fn pfn(&self) -> usize {
        // SAFETY: By the type invariants, the page is live.
        unsafe { bindings::kalloc_helper_page_to_pfn(self.page()) as usize }
    }

    /// Returns the physical address of the first byte.
    pub fn phys(&self) -> u64 {
        // CAST: Both are 64 bits wide at most.
        self.pfn() as u64 * PAGE_SIZE as u64
    }

    /// Returns the ID of the NUMA node that the block is on.
    pub fn node(&self) -> i32 {
        // SAFETY: By the type invariants, the page is live.
        unsafe { bindings::page_to_nid(self.page()) }
    }

    /// Returns the zone that the block is in.
    pub fn zone(&self) -> Zone {
        // SAFETY: By the type invariants, the page is live.
        unsafe { Zone::of(self.page()) }
    }

    /// Takes a reference that keeps the memory valid but does not own the block.
    ///
    /// Like a reference of a device or a mapping, it is not counted at the site.
    ///
    /// # Errors
    ///
    /// [`EOVERFLOW`] if there are about a thousand million references.
    pub fn reference(&self) -> Result<PageRef> {
        // SAFETY: By the type invariants, the page is live.
        let references = unsafe { bindings::kalloc_helper_page_ref_count(self.page()) };
        // The CPUs that pass this check at the same time add less than the other half.
        if references > i32::MAX / 2 {
            return Err(EOVERFLOW);
        }
        // SAFETY: By the type invariants, the page is live. The check above prevents an overflow of
        // the count.
        unsafe { bindings::kalloc_helper_get_page(self.page()) };
        // INVARIANT: The reference was just taken. The block is initialized, and an owner writes to
        // it only after checking that there is no other reference.
        Ok(PageRef {
            folio: self.folio,
            order: self.order,
        })
    }

    /// Converts the block back into a writable one, if this is the only owner and the only
    /// reference.
    ///
    /// # Errors
    ///
    /// Returns the owner otherwise.
    pub fn try_into_unique(self) -> Result<Block<Folio, S>, Self> {
        // Pairs with the release in `drop`: if an owner took a reference before it was dropped, the
        // read of the page's reference count below includes it.
        if self.owners().load(Ordering::Acquire) != 1 {
            return Err(self);
        }
        // The only owner stays the only one, because owners are cloned from owners. References are
        // taken from owners, too, so that the count no longer grows.
        // SAFETY: By the type invariants, the page is live.
        if unsafe { bindings::kalloc_helper_page_ref_count(self.page()) } != 1 {
            return Err(self);
        }
        // Pairs with `put_page()`, which is fully ordered: the holders of other references have
        // read the block before this point.
        fence(Ordering::Acquire);
        let this = ManuallyDrop::new(self);
        this.owners().store(0, Ordering::Relaxed);
        // INVARIANT: The block is moved out of `self`, which was the only owner and reference. It
        // is initialized.
        Ok(Block {
            handle: this.folio,
            size: this.order,
            _site: PhantomData,
        })
    }

    fn page(&self) -> *mut bindings::page {
        self.folio.page().as_ptr()
    }

    /// Returns the counter of owners.
    fn owners(&self) -> &AtomicUsize {
        // SAFETY: By the type invariants, the page is live. Its `private` word is a `usize`, and
        // only owners use it, through this function.
        unsafe { AtomicUsize::from_ptr(bindings::kalloc_helper_page_private(self.page()).cast()) }
    }
}

impl<S: PageSite> Clone for SharedPages<S> {
    fn clone(&self) -> Self {
        // OVERFLOW: Memory cannot hold so many owners, and no program runs long enough to forget
        // them.
        self.owners().fetch_add(1, Ordering::Relaxed);
        // INVARIANT: The new owner was just counted.
        SharedPages {
            folio: self.folio,
            order: self.order,
            _site: PhantomData,
        }
    }
}

impl<S: PageSite> Deref for SharedPages<S> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: By the type invariants, the block is of this order, live, initialized and not
        // written.
        unsafe { bytes(self.folio.address(), self.order) }
    }
}

impl<S: PageSite> Drop for SharedPages<S> {
    fn drop(&mut self) {
        if self.owners().fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        fence(Ordering::Acquire);
        site::count_free::<S>(self.order.bytes(), self.order.bytes());
        // SAFETY: By the type invariants, the owners hold a reference, and the last owner is being
        // dropped.
        unsafe { self.folio.free(self.order) };
    }
}

/// A reference to a compound page (`struct page` in C), which keeps its memory valid independently
/// of its owners. It is not counted at a site.
///
/// # Examples
///
/// ```
/// use kalloc::{CompoundPages, Order, Tag};
///
/// kalloc::sites! {
///     Tables: pages, "doc_page_ref";
/// }
///
/// let table = CompoundPages::<Tables, _>::uninit(Order::ZERO, GFP_KERNEL)?
///     .fill(7)
///     .share();
/// let reference = table.reference()?;
/// assert_eq!(reference.pfn(), table.pfn());
///
/// // The last owner is dropped, but the memory is still valid.
/// drop(table);
/// assert_eq!(Tables::site().totals().live(), 0);
/// assert_eq!(reference.first(), Some(&7));
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// - `folio` is an initialized compound page of `order`, and is never written.
/// - `self` holds a reference to it.
pub struct PageRef {
    folio: Folio,
    order: Order,
}

impl PageRef {
    /// Returns the page frame number of the first page. The other pages follow it.
    pub fn pfn(&self) -> usize {
        // SAFETY: By the type invariants, the page is live.
        unsafe { bindings::kalloc_helper_page_to_pfn(self.folio.page().as_ptr()) as usize }
    }
}

impl Deref for PageRef {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: By the type invariants, the block is of this order, live, initialized and not
        // written.
        unsafe { bytes(self.folio.address(), self.order) }
    }
}

impl Drop for PageRef {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, `self` holds a reference, which nothing uses afterwards.
        unsafe { self.folio.free(self.order) };
    }
}

/// Returns the bytes of a block.
///
/// # Safety
///
/// - The block must be of this order.
/// - For `'a`, it must be live and initialized, and must not be written.
#[inline]
unsafe fn bytes<'a>(address: NonNull<u8>, order: Order) -> &'a [u8] {
    // SAFETY: The caller guarantees that the block is of this order, live and initialized, and not
    // written during `'a`.
    unsafe { core::slice::from_raw_parts(address.as_ptr(), order.bytes()) }
}
