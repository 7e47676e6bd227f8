// SPDX-License-Identifier: GPL-2.0

//! How blocks are held: the C functions behind each kind of block.

mod struct_page;
mod virt;

pub use self::{
    struct_page::{
        ByFolio,
        ByPage, //
    },
    virt::{
        ByAddress,
        ByCount, //
    }, //
};

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

/// How a block is held, whatever its size is measured in.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     page::{AnyHandle, Block, ByCount, ByPage, PageSite},
///     Order, PageCount,
/// };
///
/// /// Sums up a block, however it is held.
/// fn sum<H: AnyHandle, S: PageSite>(block: &Block<H, S>) -> u64 {
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
///     page::{Block, Handle, PageSite},
///     FreePages, Order, Pages,
/// };
///
/// /// A second block, as large as the first.
/// fn twin<H: Handle, S: PageSite>(block: &Block<H, S>) -> Result<Block<H, S>> {
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
///     page::{Block, Divisible, PageSite},
///     ExactPages, PageCount,
/// };
///
/// /// Into how many single pages a block can be split.
/// fn count<H: Divisible, S: PageSite>(block: Block<H, S>) -> usize {
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
/// use kalloc::{page::Size, PageCount};
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

        /// Allocates a block, which nobody counts.
        ///
        /// # Safety
        ///
        /// Drivers can name it: to be called by this crate only, which counts the block.
        unsafe fn alloc(size: Self::Size, gfp: Gfp) -> Option<Self>;

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
