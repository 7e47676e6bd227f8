// SPDX-License-Identifier: GPL-2.0-only

//! Blocks that become single pages.

use crate::{
    accounting::site,
    page::{
        exact,
        order::{
            Order,
            PageCount, //
        }, //
        Block,
        BlockKind as _,
        Byte,
        PageSite,
        SplitKind,
    }, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Range, //
};
use kernel::page::PAGE_SIZE;

impl<K: SplitKind, S: PageSite, T: Byte> Block<K, S, T> {
    /// Splits the block into a sequence of single pages.
    ///
    /// Each page has its own owner and is counted as one allocation. Splitting allocates no memory.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::{Order, Pages};
    ///
    /// kalloc::sites! {
    ///     Slots: pages, "doc_split_pages";
    /// }
    ///
    /// let mut slots = KVec::new();
    /// for page in Pages::<Slots>::zeroed(Order::of::<2>(), GFP_KERNEL)?.split_pages() {
    ///     slots.push(page, GFP_KERNEL)?;
    /// }
    /// assert_eq!(slots.len(), 4);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn split_pages(self) -> Split<K, S, T> {
        let this = ManuallyDrop::new(self);
        let (handle, size) = (this.handle, this.size);
        let count: PageCount = size.into();
        // SAFETY: By the type invariants, the block is live and of this size. It was moved out of
        // `self`, so that nothing uses it as one block afterwards.
        unsafe { handle.divide(size) };
        site::count_allocs::<S>(count.get(), PAGE_SIZE);
        site::count_free::<S>(count.bytes(), count.bytes());
        // INVARIANT: The range covers all pages of the block, which was just divided.
        Split {
            handle,
            left: 0..count.get(),
            _site: PhantomData,
        }
    }
}

/// The single pages of a former block, in order. Dropping this iterator frees the pages that were
/// not taken.
///
/// # Examples
///
/// ```
/// use kalloc::{Order, Pages, Tag};
///
/// kalloc::sites! {
///     Rings: pages, "doc_split";
/// }
///
/// let mut pages = Pages::<Rings>::zeroed(Order::of::<2>(), GFP_KERNEL)?.split_pages();
/// let first = pages.next().ok_or(ENOMEM)?;
/// assert_eq!((first.order(), pages.len()), (Order::ZERO, 3));
///
/// drop(pages);
/// assert_eq!(Rings::site().totals().live(), 1);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// - `handle` was a block of at least `left.end` pages, and was divided.
/// - The pages in `left` are owned by nothing else, and are valid as `T`s.
pub struct Split<K: SplitKind, S: PageSite, T: Byte = u8> {
    handle: K,
    left: Range<usize>,
    _site: PhantomData<(S, T)>,
}

impl<K: SplitKind, S: PageSite, T: Byte> Iterator for Split<K, S, T> {
    type Item = Block<K::Single, S, T>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.left.next()?;
        // INVARIANT: By the type invariants, nothing else owns the page, and it is no longer in
        // `left`.
        Some(Block {
            // SAFETY: By the type invariants, this is a page of a former block, which was divided.
            handle: unsafe { self.handle.single(index) },
            size: Order::ZERO,
            _site: PhantomData,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl<K: SplitKind, S: PageSite, T: Byte> ExactSizeIterator for Split<K, S, T> {}

impl<K: SplitKind, S: PageSite, T: Byte> Drop for Split<K, S, T> {
    fn drop(&mut self) {
        let pages = self.left.len();
        if pages != 0 {
            site::count_frees::<S>(pages, PAGE_SIZE);
            // SAFETY: By the type invariants, the pages from `left.start` on are live single pages
            // that nothing else owns. Blocks are in the direct map, where contiguous pages have
            // contiguous addresses.
            unsafe { exact::free(self.handle.single(self.left.start).address(), pages) };
        }
    }
}
