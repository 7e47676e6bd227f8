// SPDX-License-Identifier: GPL-2.0

//! How blocks are held: the C functions behind each kind of block.

use crate::{
    bindings,
    gfp::{
        Gfp,
        Order,
        PageCount, //
    }, //
};
use core::ptr::NonNull;
use kernel::{
    ffi::c_ulong,
    page::PAGE_SIZE,
    prelude::*, //
};

use self::sealed::Raw as _;

/// How a block is held, whatever its size is measured in.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     family,
///     pages::{AnyHandle, Block, ByCount, ByPage},
///     Order, PageCount, Tag,
/// };
///
/// /// Sums up a block, however it is held.
/// fn sum<H: AnyHandle, S: Tag<Family = family::pages>>(block: &Block<H, S>) -> u64 {
///     block.iter().copied().map(u64::from).sum()
/// }
///
/// kalloc::sites! {
///     Rings: pages, "doc_any_handle";
/// }
///
/// let ring = Block::<ByPage, Rings>::zeroed(Order::ZERO, GFP_KERNEL)?;
/// let frame = Block::<ByCount, Rings>::zeroed(PageCount::of::<3>(), GFP_KERNEL)?;
/// assert_eq!((sum(&ring), sum(&frame)), (0, 0));
/// # Ok::<(), Error>(())
/// ```
pub trait AnyHandle: sealed::Raw {}

impl<H: sealed::Raw> AnyHandle for H {}

/// How a block of an [`Order`] is held: by its [`struct page`](ByPage), its [address](ByAddress), or
/// as a [compound page](ByFolio).
///
/// # Examples
///
/// ```
/// use kalloc::{
///     family,
///     pages::{Block, Handle},
///     FreePages, Order, Pages, Tag,
/// };
///
/// /// A second block, as large as the first.
/// fn twin<H: Handle, S: Tag<Family = family::pages>>(block: &Block<H, S>) -> Result<Block<H, S>> {
///     Ok(Block::zeroed(block.order(), GFP_KERNEL)?)
/// }
///
/// kalloc::sites! {
///     Rings: pages, "doc_handle";
/// }
///
/// let ring = FreePages::<Rings>::zeroed(Order::of::<1>(), GFP_KERNEL)?;
/// assert_eq!(twin(&ring)?.len(), ring.len());
/// # Ok::<(), Error>(())
/// ```
pub trait Handle: sealed::Raw<Size = Order> {}

impl<H: sealed::Raw<Size = Order>> Handle for H {}

/// How a block is held that can be taken apart into single pages.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     family,
///     pages::{Block, Divisible},
///     ExactPages, PageCount, Tag,
/// };
///
/// /// Into how many single pages a block can be split.
/// fn count<H: Divisible, S: Tag<Family = family::pages>>(block: Block<H, S>) -> usize {
///     block.split_pages().len()
/// }
///
/// kalloc::sites! {
///     Rings: pages, "doc_divisible";
/// }
///
/// let ring = ExactPages::<Rings>::zeroed(PageCount::of::<3>(), GFP_KERNEL)?;
/// assert_eq!(count(ring), 3);
/// # Ok::<(), Error>(())
/// ```
pub trait Divisible: sealed::Divide {}

impl<H: sealed::Divide> Divisible for H {}

/// What the size of a block is measured in: an [`Order`], or a [`PageCount`].
///
/// # Examples
///
/// ```
/// use kalloc::{pages::Size, PageCount};
///
/// /// A request for a block, by its order or by its number of pages.
/// struct Request<T: Size> {
///     size: T,
///     atomic: bool,
/// }
///
/// let request = Request {
///     size: PageCount::of::<3>(),
///     atomic: true,
/// };
/// assert!(request.atomic && request.size < PageCount::MAX);
/// ```
pub trait Size: sealed::Size {}

impl<T: sealed::Size> Size for T {}

/// What only this module may call, or implement.
pub(crate) mod sealed {
    use super::{
        bindings,
        Gfp,
        NonNull,
        Order,
        PageCount, //
    };

    /// The C functions behind a handle.
    ///
    /// # Safety
    ///
    /// `alloc` returns a block of `size` that is mapped at `address` until given to `free`.
    pub unsafe trait Raw: Copy + Send + Sync {
        /// What the size of a block is measured in.
        type Size: super::Size;

        /// Allocates a block.
        fn alloc(size: Self::Size, gfp: Gfp) -> Option<Self>;

        /// Frees a block.
        ///
        /// # Safety
        ///
        /// The block must be live, and of that size.
        unsafe fn free(self, size: Self::Size);

        /// The address of the block's first byte.
        fn address(self) -> NonNull<u8>;

        /// The first page of the block.
        fn page(self) -> NonNull<bindings::page>;
    }

    /// How large a block is.
    pub trait Size: Copy + Send + Sync {
        /// In bytes: whole pages, not 0.
        fn bytes(self) -> usize;
    }

    impl Size for Order {
        #[inline(always)]
        fn bytes(self) -> usize {
            Order::bytes(self)
        }
    }

    impl Size for PageCount {
        #[inline(always)]
        fn bytes(self) -> usize {
            PageCount::bytes(self)
        }
    }

    /// Blocks that become single pages.
    ///
    /// # Safety
    ///
    /// After `divide`, `single` returns each page of the block as a block of its own.
    pub unsafe trait Divide: Raw {
        /// How the single pages are held.
        type Single: Raw<Size = Order>;

        /// Takes the block apart.
        ///
        /// # Safety
        ///
        /// The block must be live, and of that size. It is no block any more.
        unsafe fn divide(self, size: Self::Size);

        /// Page `index` of what was the block.
        ///
        /// # Safety
        ///
        /// The block must have had so many pages.
        unsafe fn single(self, index: usize) -> Self::Single;
    }
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
/// # Examples
///
/// ```
/// use kalloc::{
///     pages::{Block, ByPage},
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

/// A block's address in the direct mapping.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     pages::{Block, ByAddress},
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
///     pages::{Block, ByCount},
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

    fn alloc(count: PageCount, gfp: Gfp) -> Option<Self> {
        let gfp = gfp.without_highmem().as_raw();
        // SAFETY: A block of so many pages is of a valid order.
        let address = unsafe { bindings::kalloc_helper_alloc_pages_exact(count.bytes(), gfp) };
        // INVARIANT: Just returned by it, as pages of order 0 that follow each other.
        NonNull::new(address.cast()).map(|address| ByCount(ByAddress(address)))
    }

    unsafe fn free(self, count: PageCount) {
        // SAFETY: By the requirements of this function.
        unsafe { bindings::free_pages_exact(self.address().as_ptr().cast(), count.bytes()) };
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

/// A compound page's first `struct page`: what C calls a folio.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     pages::{Block, ByFolio},
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
    fn alloc(order: Order, gfp: Gfp) -> Option<Self> {
        // INVARIANT: As `ByPage::alloc` says.
        ByPage::alloc(order, gfp | Gfp::COMP).map(ByFolio)
    }

    #[inline]
    unsafe fn free(self, order: Order) {
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
