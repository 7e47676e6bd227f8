// SPDX-License-Identifier: GPL-2.0

//! Compound pages with many owners.
//!
//! Two counts say who needs a block. The *owners* are those that this crate knows, as a site does:
//! their number is in the page's `private` word, which belongs to whoever allocated the page. The
//! page's own count of *references* is everybody's: a mapping in user space, a device's driver, a
//! [`PageRef`]. All owners together hold one of those.
//!
//! What is freed, then, is the owners' part: when the last of them goes, the block is counted as
//! freed, exactly once, and their reference is put. If nobody else has one, that is the moment at
//! which the memory goes back to the page allocator. Else it stays valid, by the reference of
//! somebody for whom the site, and perhaps its module, need not be there any more.
//!
//! The number of owners has as many bits as an address, so that it cannot overflow. The page's own
//! has 32, which safe code that forgets its references could wrap: hence a limit on [`PageRef`]s,
//! and none on owners.

use crate::{
    accounting::site,
    page::{
        order::Order,
        zone::Zone, //
        Block,
        ByFolio,
        PageSite,
        Raw,
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

impl<S: PageSite> Block<ByFolio, S> {
    /// Makes the block one that can have many owners, who can read it.
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
    /// // From now on, it is only read.
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
        // INVARIANT: The block is moved out of `self`; one owner, with the reference that it came
        // with.
        shared.owners().store(1, Ordering::Relaxed);
        shared
    }
}

/// One of the owners of a compound page, which all of them can read. Counted at site `S` as one
/// block, until the last owner is dropped.
///
/// Others than owners may have references to its pages: C code, or a [`PageRef`]. Those keep the memory
/// when the last owner goes, but it is counted as freed then.
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
/// - `folio` is a live compound page of `order`, initialised, and written by nobody.
/// - Its `private` word is the number of `SharedPages` for it, which together have a reference.
pub struct SharedPages<S: PageSite> {
    folio: ByFolio,
    order: Order,
    _site: PhantomData<fn() -> S>,
}

impl<S: PageSite> SharedPages<S> {
    /// The block's order.
    #[inline]
    pub fn order(&self) -> Order {
        self.order
    }

    /// The page frame number of the first page. The others follow it.
    pub fn pfn(&self) -> usize {
        // SAFETY: By the invariants, the page is live.
        unsafe { bindings::kalloc_helper_page_to_pfn(self.page()) as usize }
    }

    /// The physical address of the first byte.
    pub fn phys(&self) -> u64 {
        // CAST: Both are 64 bits wide at most.
        self.pfn() as u64 * PAGE_SIZE as u64
    }

    /// The id of the NUMA node that the block is on.
    pub fn node(&self) -> i32 {
        // SAFETY: By the invariants, the page is live.
        unsafe { bindings::page_to_nid(self.page()) }
    }

    /// The zone that the block is in.
    pub fn zone(&self) -> Zone {
        // SAFETY: By the invariants, the page is live.
        unsafe { Zone::of(self.page()) }
    }

    /// Takes a reference that keeps the memory, but owns it no more than a device or a mapping does:
    /// the site does not count it.
    ///
    /// # Errors
    ///
    /// [`EOVERFLOW`] if there are a thousand million references.
    pub fn reference(&self) -> Result<PageRef> {
        // SAFETY: By the invariants, the page is live.
        let references = unsafe { bindings::kalloc_helper_page_ref_count(self.page()) };
        // Those that pass here at the same time are fewer than the other half.
        if references > i32::MAX / 2 {
            return Err(EOVERFLOW);
        }
        // SAFETY: As above; the count does not overflow.
        unsafe { bindings::kalloc_helper_get_page(self.page()) };
        // INVARIANT: Just taken. The block is initialised, and is written only by an owner that has
        // made sure that there is no other reference.
        Ok(PageRef {
            folio: self.folio,
            order: self.order,
        })
    }

    /// Makes the block one that can be written again, if this is the only owner and nobody has a
    /// reference.
    ///
    /// # Errors
    ///
    /// Gives the owner back otherwise.
    pub fn try_into_unique(self) -> Result<Block<ByFolio, S>, Self> {
        // Pairs with the release in `drop`: a reference that an owner took before it was dropped is in
        // the page's count, which is read next.
        if self.owners().load(Ordering::Acquire) != 1 {
            return Err(self);
        }
        // An only owner stays the only one: others are cloned from owners. References are taken from
        // owners, too, so that the count does not grow any more.
        // SAFETY: By the invariants, the page is live.
        if unsafe { bindings::kalloc_helper_page_ref_count(self.page()) } != 1 {
            return Err(self);
        }
        // Pairs with `put_page()`, which is fully ordered: what the holders of references read of the
        // block was read before.
        fence(Ordering::Acquire);
        let this = ManuallyDrop::new(self);
        this.owners().store(0, Ordering::Relaxed);
        // INVARIANT: The block is moved out of `self`, which was alone; it is initialised.
        Ok(Block {
            handle: this.folio,
            size: this.order,
            _site: PhantomData,
        })
    }

    fn page(&self) -> *mut bindings::page {
        self.folio.page().as_ptr()
    }

    /// The number of owners.
    fn owners(&self) -> &AtomicUsize {
        // SAFETY: By the invariants, the page is live. Its `private` word is a `usize` that is used
        // by owners only, through this function.
        unsafe { AtomicUsize::from_ptr(bindings::kalloc_helper_page_private(self.page()).cast()) }
    }
}

impl<S: PageSite> Clone for SharedPages<S> {
    fn clone(&self) -> Self {
        // OVERFLOW: There is no room for so many owners, nor the time to forget them.
        self.owners().fetch_add(1, Ordering::Relaxed);
        // INVARIANT: Just counted.
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
        // SAFETY: By the invariants.
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
        // SAFETY: By the invariants, the reference of the owners, of whom there is none any more.
        unsafe { self.folio.free(self.order) };
    }
}

/// A reference to a compound page: keeps its memory, whatever its owners do. Not counted at a site.
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
/// // The site's owners are gone; the memory is not.
/// drop(table);
/// assert_eq!(Tables::site().totals().live(), 0);
/// assert_eq!(reference.first(), Some(&7));
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `folio` is a compound page of `order`, initialised, and written by nobody. This is a reference
/// to it.
pub struct PageRef {
    folio: ByFolio,
    order: Order,
}

impl PageRef {
    /// The page frame number of the first page. The others follow it.
    pub fn pfn(&self) -> usize {
        // SAFETY: By the invariants, the page is live.
        unsafe { bindings::kalloc_helper_page_to_pfn(self.folio.page().as_ptr()) as usize }
    }
}

impl Deref for PageRef {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: By the invariants.
        unsafe { bytes(self.folio.address(), self.order) }
    }
}

impl Drop for PageRef {
    fn drop(&mut self) {
        // SAFETY: By the invariants, a reference of ours.
        unsafe { self.folio.free(self.order) };
    }
}

/// The bytes of a block.
///
/// # Safety
///
/// The block must be of that order, and for `'a` be live, initialised, and not be written.
#[inline]
unsafe fn bytes<'a>(address: NonNull<u8>, order: Order) -> &'a [u8] {
    // SAFETY: By the requirement of this function.
    unsafe { core::slice::from_raw_parts(address.as_ptr(), order.bytes()) }
}
