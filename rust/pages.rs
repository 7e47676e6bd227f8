// SPDX-License-Identifier: GPL-2.0

//! Blocks of pages straight from the page allocator.
//!
//! A block of order `n` is `2^n` physically contiguous pages. [`Pages`] holds one by its
//! `struct page`, [`FreePages`] by its address; they differ in what C calls them through, and in
//! what is at hand without a conversion. [`PageArray`] holds single pages, allocated in bulk.
//!
//! | C | here |
//! |---|---|
//! | `alloc_page(s)`, `__free_pages` | [`Pages::zeroed`], [`Pages::uninit`], drop |
//! | `__get_free_page(s)`, `get_zeroed_page`, `free_page(s)` | [`FreePages::zeroed`], [`FreePages::uninit`], drop |
//! | `alloc_pages_bulk` | [`PageArray::zeroed`] |
//!
//! Blocks come from the direct mapping: `__GFP_HIGHMEM` is ignored.
//!
//! # Context
//!
//! Allocating may sleep unless the flags say otherwise. Freeing never sleeps.
//!
//! C header: [`include/linux/gfp.h`](srctree/include/linux/gfp.h)

use crate::{
    bindings,
    gfp::{
        Gfp,
        Order, //
    },
    site::{
        self,
        Family,
        Shape,
        Site,
        Tag, //
    },
    stats::Totals, //
};
use core::{
    marker::PhantomData,
    mem::{
        ManuallyDrop,
        MaybeUninit, //
    },
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull, //
};
use kernel::{
    alloc::AllocError,
    ffi::c_ulong,
    page::PAGE_SIZE,
    prelude::*, //
};

/// The family of [`Pages`], [`FreePages`] and [`PageArray`].
pub struct Buddy;

impl Family for Buddy {
    const NAME: &'static str = "pages";

    fn shape(_: &Site, live: &Totals) -> Shape {
        Shape::mixed(live)
    }
}

/// How a block is held: by its [`struct page`](ByPage) or its [address](ByAddress).
///
/// # Safety
///
/// `alloc` returns a block of `order` that is mapped at `address` until given to `free`.
pub unsafe trait Handle: Copy + Send + Sync + sealed::Sealed {
    /// Allocates a block.
    #[doc(hidden)]
    fn alloc(order: Order, gfp: Gfp) -> Option<Self>;

    /// Frees a block.
    ///
    /// # Safety
    ///
    /// The block must be live, and of that order.
    #[doc(hidden)]
    unsafe fn free(self, order: Order);

    /// The address of the block's first byte.
    #[doc(hidden)]
    fn address(self) -> NonNull<u8>;

    /// The first page of the block.
    #[doc(hidden)]
    fn page(self) -> NonNull<bindings::page>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ByPage {}
    impl Sealed for super::ByAddress {}
}

/// A block's first `struct page`.
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
unsafe impl Handle for ByPage {
    #[inline(always)]
    fn alloc(order: Order, gfp: Gfp) -> Option<Self> {
        let gfp = gfp.without_highmem().as_raw();
        // SAFETY: The order is valid.
        let page = unsafe { bindings::alloc_pages_noprof(gfp, order.get()) };
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
        // SAFETY: A live page in the direct mapping has an address.
        unsafe {
            let address = bindings::kalloc_helper_page_address(self.0.as_ptr());
            NonNull::new_unchecked(address.cast())
        }
    }

    #[inline]
    fn page(self) -> NonNull<bindings::page> {
        self.0
    }
}

/// A block's address in the direct mapping.
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
unsafe impl Handle for ByAddress {
    #[inline(always)]
    fn alloc(order: Order, gfp: Gfp) -> Option<Self> {
        let gfp = gfp.without_highmem().as_raw();
        // SAFETY: The order is valid.
        let address = unsafe { bindings::get_free_pages_noprof(gfp, order.get()) };
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

/// A block of pages by its `struct page`, counted at site `S`.
///
/// `T` is `u8` for memory that is initialised, else `MaybeUninit<u8>`.
pub type Pages<S, T = u8> = Block<ByPage, S, T>;

/// A block of pages by its address, counted at site `S`.
///
/// `T` is `u8` for memory that is initialised, else `MaybeUninit<u8>`.
pub type FreePages<S, T = u8> = Block<ByAddress, S, T>;

/// An owned block of `2^order` contiguous pages: a slice of bytes, freed on drop.
///
/// # Invariants
///
/// - `handle` holds a live block of `order` that nothing else owns.
/// - Its bytes are valid as `T`s.
pub struct Block<H: Handle, S: Tag<Family = Buddy>, T = u8> {
    handle: H,
    order: Order,
    _site: PhantomData<(S, T)>,
}

impl<H: Handle, S: Tag<Family = Buddy>> Block<H, S> {
    /// Allocates a zeroed block.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no such block.
    #[inline]
    pub fn zeroed(order: Order, gfp: impl Into<Gfp>) -> Result<Self, AllocError> {
        // SAFETY: The block comes zeroed.
        Ok(unsafe { Block::uninit(order, gfp.into() | Gfp::ZERO)?.assume_init() })
    }
}

impl<H: Handle, S: Tag<Family = Buddy>> Block<H, S, MaybeUninit<u8>> {
    /// Allocates a block and leaves in it whatever was there.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no such block.
    #[inline(always)]
    pub fn uninit(order: Order, gfp: impl Into<Gfp>) -> Result<Self, AllocError> {
        let Some(handle) = H::alloc(order, gfp.into()) else {
            site::count_failure::<S>();
            return Err(AllocError);
        };
        site::count_alloc::<S>(order.bytes(), order.bytes());
        // INVARIANT: The block is new, and any bytes are valid as `MaybeUninit`.
        Ok(Block {
            handle,
            order,
            _site: PhantomData,
        })
    }

    /// Sets every byte.
    pub fn fill(mut self, byte: u8) -> Block<H, S> {
        (*self).fill(MaybeUninit::new(byte));
        // SAFETY: Just done.
        unsafe { self.assume_init() }
    }

    /// Takes the block as initialised.
    ///
    /// # Safety
    ///
    /// All of its bytes must have been written.
    #[inline]
    pub unsafe fn assume_init(self) -> Block<H, S> {
        let this = ManuallyDrop::new(self);
        // INVARIANT: The block is moved out of `self`; the bytes are initialised by the
        // requirement of this function.
        Block {
            handle: this.handle,
            order: this.order,
            _site: PhantomData,
        }
    }
}

impl<H: Handle, S: Tag<Family = Buddy>, T> Block<H, S, T> {
    /// The block's order.
    #[inline]
    pub fn order(&self) -> Order {
        self.order
    }

    /// The page frame number of the first page. The others follow it.
    pub fn pfn(&self) -> usize {
        // SAFETY: By the invariants, the page is live.
        unsafe { bindings::kalloc_helper_page_to_pfn(self.handle.page().as_ptr()) as usize }
    }

    /// The physical address of the first byte.
    pub fn phys(&self) -> u64 {
        // CAST: Both are 64 bits wide at most.
        self.pfn() as u64 * PAGE_SIZE as u64
    }

    /// The id of the NUMA node that the block is on.
    pub fn node(&self) -> i32 {
        // SAFETY: By the invariants, the page is live.
        unsafe { bindings::page_to_nid(self.handle.page().as_ptr()) }
    }
}

impl<H: Handle, S: Tag<Family = Buddy>, T> Deref for Block<H, S, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        let start = self.handle.address().cast::<T>().as_ptr();
        // SAFETY: By the invariants, the block is mapped there, valid as `T`s, which are bytes,
        // and borrowed.
        unsafe { core::slice::from_raw_parts(start, self.order.bytes()) }
    }
}

impl<H: Handle, S: Tag<Family = Buddy>, T> DerefMut for Block<H, S, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        let start = self.handle.address().cast::<T>().as_ptr();
        // SAFETY: As for `deref`; `self` is borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(start, self.order.bytes()) }
    }
}

impl<H: Handle, S: Tag<Family = Buddy>, T> Drop for Block<H, S, T> {
    #[inline(always)]
    fn drop(&mut self) {
        site::count_free::<S>(self.order.bytes(), self.order.bytes());
        // SAFETY: By the invariants, the block is live, ours, and of that order.
        unsafe { self.handle.free(self.order) };
    }
}

/// Single zeroed pages, anywhere in memory, counted at site `S`.
///
/// # Invariants
///
/// `pages` holds `len` live pages of order 0 that nothing else owns and that are initialised.
pub struct PageArray<S: Tag<Family = Buddy>> {
    pages: KVec<NonNull<bindings::page>>,
    _site: PhantomData<S>,
}

// SAFETY: Pages belong to no thread.
unsafe impl<S: Tag<Family = Buddy>> Send for PageArray<S> {}
// SAFETY: As above; a shared reference gives access to no page's content.
unsafe impl<S: Tag<Family = Buddy>> Sync for PageArray<S> {}

impl<S: Tag<Family = Buddy>> PageArray<S> {
    /// The largest array: what one [`Mapping`](crate::vmalloc::Mapping) may take.
    pub const MAX_LEN: usize = i32::MAX as usize / PAGE_SIZE;

    /// Allocates `len` zeroed pages, all or none.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there are not as many pages, or `len` is 0 or above
    /// [`PageArray::MAX_LEN`].
    pub fn zeroed(len: usize, gfp: impl Into<Gfp>) -> Result<Self, AllocError> {
        let gfp = (gfp.into() | Gfp::ZERO).without_highmem();
        if len == 0 || len > Self::MAX_LEN {
            return Err(AllocError);
        }
        // The bulk allocator fills the slots that are NULL.
        let mut slots: KVec<*mut bindings::page> =
            KVec::from_elem(core::ptr::null_mut(), len, GFP_KERNEL)?;
        let mut this = PageArray {
            pages: KVec::with_capacity(len, GFP_KERNEL)?,
            _site: PhantomData,
        };
        // It may stop early; what it did not fill is asked for again, one page at a time.
        // SAFETY: There are `len` slots.
        unsafe {
            bindings::kalloc_helper_alloc_pages_bulk(
                gfp.as_raw(),
                len as c_ulong,
                slots.as_mut_ptr(),
            )
        };
        for slot in slots {
            let page = NonNull::new(slot).or_else(|| {
                // SAFETY: Order 0 is valid.
                NonNull::new(unsafe { bindings::alloc_pages_noprof(gfp.as_raw(), 0) })
            });
            let Some(page) = page else {
                // Pages filled further on are freed with the array, too.
                site::count_failure::<S>();
                continue;
            };
            site::count_alloc::<S>(PAGE_SIZE, PAGE_SIZE);
            // INVARIANT: A new, zeroed page. There is room for `len`.
            let _ = this.pages.push_within_capacity(page);
        }
        if this.len() == len {
            Ok(this)
        } else {
            Err(AllocError)
        }
    }

    /// The number of pages.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether there are none: never, for an array that was allocated.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The page frame number of page `index`.
    pub fn pfn(&self, index: usize) -> Option<usize> {
        let page = self.pages.get(index)?;
        // SAFETY: By the invariants, the page is live.
        Some(unsafe { bindings::kalloc_helper_page_to_pfn(page.as_ptr()) } as usize)
    }

    /// The pages, as C takes them.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut *mut bindings::page {
        // CAST: `NonNull` is a pointer to C.
        self.pages.as_mut_ptr().cast()
    }
}

impl<S: Tag<Family = Buddy>> Drop for PageArray<S> {
    fn drop(&mut self) {
        for page in &self.pages {
            site::count_free::<S>(PAGE_SIZE, PAGE_SIZE);
            // SAFETY: By the invariants, a live page of ours, of order 0.
            unsafe { bindings::__free_pages(page.as_ptr(), 0) };
        }
    }
}
