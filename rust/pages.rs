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
        Sealed,
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

mod array;

pub use self::array::PageArray;

/// The family of [`Pages`], [`FreePages`] and [`PageArray`].
pub struct Buddy;

impl Sealed for Buddy {}

impl Family for Buddy {
    const NAME: &'static str = "pages";
    const MAX_SIZE: usize = Order::MAX.bytes();

    fn unit_footprint(site: &Site) -> usize {
        site.unit()
    }

    fn shape(_: &Site, live: &Totals) -> Shape {
        Shape::mixed(live)
    }
}

/// How a block is held: by its [`struct page`](ByPage) or its [address](ByAddress).
pub trait Handle: sealed::Raw {}

impl<H: sealed::Raw> Handle for H {}

/// What a block's bytes are: `u8`, or `MaybeUninit<u8>` until they are written.
pub trait Byte: sealed::Byte {}

impl<T: sealed::Byte> Byte for T {}

/// What only this module may call, or implement.
pub(crate) mod sealed {
    use super::{
        bindings,
        Gfp,
        MaybeUninit,
        NonNull,
        Order, //
    };

    /// The C functions behind a handle.
    ///
    /// # Safety
    ///
    /// `alloc` returns a block of `order` that is mapped at `address` until given to `free`.
    pub unsafe trait Raw: Copy + Send + Sync {
        /// Allocates a block.
        fn alloc(order: Order, gfp: Gfp) -> Option<Self>;

        /// Frees a block.
        ///
        /// # Safety
        ///
        /// The block must be live, and of that order.
        unsafe fn free(self, order: Order);

        /// The address of the block's first byte.
        fn address(self) -> NonNull<u8>;

        /// The first page of the block.
        fn page(self) -> NonNull<bindings::page>;
    }

    /// Types of one byte.
    pub trait Byte {}
    impl Byte for u8 {}
    impl Byte for MaybeUninit<u8> {}
}

/// `page_address()` of a page in the direct mapping, which is arithmetic.
///
/// # Safety
///
/// `page` must be a live page.
#[inline(always)]
unsafe fn page_address(page: *mut bindings::page) -> *mut u8 {
    #[cfg(all(CONFIG_X86_64, CONFIG_SPARSEMEM_VMEMMAP))]
    {
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
    #[inline(always)]
    fn alloc(order: Order, gfp: Gfp) -> Option<Self> {
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
unsafe impl sealed::Raw for ByAddress {
    #[inline(always)]
    fn alloc(order: Order, gfp: Gfp) -> Option<Self> {
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
pub struct Block<H: Handle, S: Tag<Family = Buddy>, T: Byte = u8> {
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
        let gfp = gfp.into();
        let Some(handle) = H::alloc(order, gfp) else {
            site::count_failure::<S>(gfp, false);
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

impl<H: Handle, S: Tag<Family = Buddy>, T: Byte> Block<H, S, T> {
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

impl<H: Handle, S: Tag<Family = Buddy>, T: Byte> Deref for Block<H, S, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        let start = self.handle.address().cast::<T>().as_ptr();
        // SAFETY: By the invariants, the block is mapped there, valid as `T`s, which are bytes,
        // and borrowed.
        unsafe { core::slice::from_raw_parts(start, self.order.bytes()) }
    }
}

impl<H: Handle, S: Tag<Family = Buddy>, T: Byte> DerefMut for Block<H, S, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        let start = self.handle.address().cast::<T>().as_ptr();
        // SAFETY: As for `deref`; `self` is borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(start, self.order.bytes()) }
    }
}

impl<H: Handle, S: Tag<Family = Buddy>, T: Byte> Drop for Block<H, S, T> {
    #[inline(always)]
    fn drop(&mut self) {
        site::count_free::<S>(self.order.bytes(), self.order.bytes());
        // SAFETY: By the invariants, the block is live, ours, and of that order.
        unsafe { self.handle.free(self.order) };
    }
}
