// SPDX-License-Identifier: GPL-2.0-only

//! Kinds of page blocks, and the C functions behind each kind.

mod struct_page;
mod virt;

pub use self::{
    struct_page::{
        Folio,
        StructPage, //
    },
    virt::{
        Exact,
        Virt, //
    }, //
};

use super::sealed::Sealed;
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

/// A kind of page blocks: [`StructPage`], [`Virt`], [`Exact`] or [`Folio`].
///
/// A value of the kind is the handle of one block.
///
/// # Safety
///
/// - `alloc` must return a block of as many pages as `size` converts into, which is mapped at
///   `address` until it is given to `free`.
/// - `at` must return the handle of the block that is mapped at `address`.
/// - `size_of` must return the size that converts into `pages`, if a block of this kind can have so
///   many pages.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     page::{Block, BlockKind, PageSite},
///     ExactPages, Order, PageCount, Pages,
/// };
///
/// /// Returns the sum of a block's bytes, for any kind.
/// fn sum<K: BlockKind, S: PageSite>(block: &Block<K, S>) -> u64 {
///     block.iter().copied().map(u64::from).sum()
/// }
///
/// /// Allocates a second block, as large as the first.
/// fn twin<K: BlockKind<Size = Order>, S: PageSite>(block: &Block<K, S>) -> Result<Block<K, S>> {
///     Ok(Block::zeroed(block.order(), GFP_KERNEL)?)
/// }
///
/// kalloc::sites! {
///     Rings: pages, "doc_block_kind";
/// }
///
/// let ring = Pages::<Rings>::zeroed(Order::of::<1>(), GFP_KERNEL)?;
/// let frame = ExactPages::<Rings>::zeroed(PageCount::of::<3>(), GFP_KERNEL)?;
/// assert_eq!(twin(&ring)?.len(), ring.len());
/// assert_eq!((sum(&ring), sum(&frame)), (0, 0));
/// # Ok::<(), Error>(())
/// ```
pub unsafe trait BlockKind: Sealed + Copy + Send + Sync {
    /// The unit of a block's size: an [`Order`] or a [`PageCount`].
    type Size: Copy + Send + Sync + Into<PageCount>;

    /// Allocates a block without counting it.
    ///
    /// # Safety
    ///
    /// Only this crate may call it, and must count the block. (Drivers can name this function.)
    #[doc(hidden)]
    unsafe fn alloc(size: Self::Size, gfp: Gfp) -> Option<Self>;

    /// Frees a block.
    ///
    /// # Safety
    ///
    /// - The block must be live and of that size.
    /// - Nothing may use it afterwards.
    #[doc(hidden)]
    unsafe fn free(self, size: Self::Size);

    /// Returns the address of the block's first byte.
    #[doc(hidden)]
    fn address(self) -> NonNull<u8>;

    /// Returns the handle of the block at an address.
    ///
    /// # Safety
    ///
    /// `address` must be that of a live block of this kind.
    #[doc(hidden)]
    unsafe fn at(address: NonNull<u8>) -> Self;

    /// Returns the size of a block with `pages` pages.
    #[doc(hidden)]
    fn size_of(pages: PageCount) -> Self::Size;

    /// Returns the first page of the block.
    #[doc(hidden)]
    fn page(self) -> NonNull<bindings::page>;
}

/// A kind of page blocks that can be split into single pages.
///
/// # Safety
///
/// - After `divide`, `single` must return each page of the block as a block of its own.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     page::{Block, PageSite, SplitKind},
///     ExactPages, Order, PageCount,
/// };
///
/// /// Shrinks a block to its first page.
/// fn first<K: SplitKind, S: PageSite>(block: Block<K, S>) -> Option<Block<K::Single, S>> {
///     block.split_pages().next()
/// }
///
/// kalloc::sites! {
///     Rings: pages, "doc_split_kind";
/// }
///
/// let ring = ExactPages::<Rings>::zeroed(PageCount::of::<3>(), GFP_KERNEL)?;
/// assert_eq!(first(ring).map(|page| page.order()), Some(Order::ZERO));
/// # Ok::<(), Error>(())
/// ```
pub unsafe trait SplitKind: BlockKind {
    /// The kind of a single page.
    type Single: BlockKind<Size = Order>;

    /// Divides the block into single pages.
    ///
    /// # Safety
    ///
    /// - The block must be live and of that size.
    /// - Nothing may use it as one block afterwards.
    #[doc(hidden)]
    unsafe fn divide(self, size: Self::Size);

    /// Returns page `index` of the former block.
    ///
    /// # Safety
    ///
    /// - The block must have been divided.
    /// - It must have had more than `index` pages.
    #[doc(hidden)]
    unsafe fn single(self, index: usize) -> Self::Single;
}
