// SPDX-License-Identifier: GPL-2.0

//! Kinds of block handles, and the C functions behind each kind.

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

/// A handle of a block, of an [`Order`] or a [`PageCount`].
///
/// # Examples
///
/// ```
/// use kalloc::{
///     page::{AnyHandle, Block, ByCount, ByPage, PageSite},
///     Order, PageCount,
/// };
///
/// /// Returns the sum of a block's bytes, for any handle.
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

/// A handle of a block of an [`Order`]: its [`struct page`](ByPage), its [address](ByAddress), or a
/// [compound page](ByFolio).
///
/// # Examples
///
/// ```
/// use kalloc::{
///     page::{Block, Handle, PageSite},
///     FreePages, Order, Pages,
/// };
///
/// /// Allocates a second block, as large as the first.
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

/// A handle of a block that can be split into single pages.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     page::{Block, Divisible, PageSite},
///     ExactPages, PageCount,
/// };
///
/// /// Returns the number of single pages that a block splits into.
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

/// The unit of a block's size: an [`Order`] or a [`PageCount`].
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

/// Traits that only this crate can call or implement.
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
    /// - `alloc` must return a block of `size` that is mapped at `address` until it is given to
    ///   `free`.
    pub unsafe trait Raw: Copy + Send + Sync {
        /// The unit of a block's size.
        type Size: super::Size;

        /// Allocates a block without counting it.
        ///
        /// # Safety
        ///
        /// Only this crate may call it, and must count the block. (Drivers can name this function.)
        unsafe fn alloc(size: Self::Size, gfp: Gfp) -> Option<Self>;

        /// Frees a block.
        ///
        /// # Safety
        ///
        /// - The block must be live and of that size.
        /// - Nothing may use it afterwards.
        unsafe fn free(self, size: Self::Size);

        /// Returns the address of the block's first byte.
        fn address(self) -> NonNull<u8>;

        /// Returns the first page of the block.
        fn page(self) -> NonNull<bindings::page>;
    }

    /// The size of a block.
    pub trait Size: Copy + Send + Sync {
        /// Returns the size in bytes: whole pages, not 0.
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

    /// Handles of blocks that can become single pages.
    ///
    /// # Safety
    ///
    /// - After `divide`, `single` must return each page of the block as a block of its own.
    pub unsafe trait Divide: Raw {
        /// The handle of a single page.
        type Single: Raw<Size = Order>;

        /// Divides the block into single pages.
        ///
        /// # Safety
        ///
        /// - The block must be live and of that size.
        /// - Nothing may use it as one block afterwards.
        unsafe fn divide(self, size: Self::Size);

        /// Returns page `index` of the former block.
        ///
        /// # Safety
        ///
        /// - The block must have been divided.
        /// - It must have had more than `index` pages.
        unsafe fn single(self, index: usize) -> Self::Single;
    }
}
