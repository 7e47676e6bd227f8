// SPDX-License-Identifier: GPL-2.0-only

//! Numbers of pages: orders, and numbers that need not be powers of two.
//!
//! C header: [`include/asm-generic/getorder.h`](srctree/include/asm-generic/getorder.h)

use crate::sys::bindings;
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// The size of a block of pages as a power of two: order `n` is `2^n` pages.
///
/// # Examples
///
/// ```
/// use kalloc::Order;
/// use kernel::page::PAGE_SIZE;
///
/// let order = Order::of::<2>();
/// assert_eq!(
///     (order.get(), order.pages(), order.bytes()),
///     (2, 4, 4 * PAGE_SIZE)
/// );
/// assert_eq!(Order::new(2), Ok(order));
/// assert_eq!(Order::new(Order::MAX.get() + 1), Err(EINVAL));
/// // Three pages need a block of four.
/// assert_eq!(Order::for_bytes(3 * PAGE_SIZE), Ok(order));
/// assert_eq!(Order::ZERO.pages(), 1);
/// ```
///
/// # Invariants
///
/// The value is at most `MAX_PAGE_ORDER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order(u8);

impl Order {
    /// The order of a single page.
    pub const ZERO: Order = Order(0);
    /// The largest order of the page allocator (`MAX_PAGE_ORDER`, inclusive).
    pub const MAX: Order = Order(bindings::MAX_PAGE_ORDER as u8);

    /// Returns order `order`.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if `order` is above [`Order::MAX`].
    #[inline]
    pub const fn new(order: u32) -> Result<Order> {
        if order > bindings::MAX_PAGE_ORDER {
            return Err(EINVAL);
        }
        // INVARIANT: Just checked. CAST: `MAX_PAGE_ORDER` is far below 256.
        Ok(Order(order as u8))
    }

    /// Returns order `N`, which is checked at compile time.
    #[inline]
    pub const fn of<const N: u32>() -> Order {
        const { assert!(N <= bindings::MAX_PAGE_ORDER, "order above MAX_PAGE_ORDER") };
        // INVARIANT: Just checked. CAST: `MAX_PAGE_ORDER` is far below 256.
        Order(N as u8)
    }

    /// Returns the order of a block with `pages` pages, a power of two.
    #[inline]
    pub(crate) const fn of_block(pages: PageCount) -> Order {
        // INVARIANT: A count is at most the pages of `Order::MAX`. CAST: So is its logarithm.
        Order(pages.0.trailing_zeros() as u8)
    }

    /// Returns the smallest order whose block holds `bytes` (`get_order()`).
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if no block is that large.
    pub const fn for_bytes(bytes: usize) -> Result<Order> {
        let pages = bytes.div_ceil(PAGE_SIZE);
        if pages > Order::MAX.pages() {
            return Err(EINVAL);
        }
        Order::new(pages.next_power_of_two().trailing_zeros())
    }

    /// Returns the exponent.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0 as u32
    }

    /// Returns the number of pages in a block.
    #[inline]
    pub const fn pages(self) -> usize {
        1 << self.0
    }

    /// Returns the number of bytes in a block.
    #[inline]
    pub const fn bytes(self) -> usize {
        PAGE_SIZE << self.0
    }
}

/// A number of contiguous pages, which need not be a power of two.
///
/// # Examples
///
/// ```
/// use kalloc::PageCount;
/// use kernel::page::PAGE_SIZE;
///
/// let count = PageCount::of::<3>();
/// assert_eq!((count.get(), count.bytes()), (3, 3 * PAGE_SIZE));
/// assert_eq!(PageCount::for_bytes(2 * PAGE_SIZE + 1), Ok(count));
/// assert_eq!(PageCount::new(PageCount::MAX.get() + 1), Err(EINVAL));
/// ```
///
/// # Invariants
///
/// The value is at least 1, and at most the number of pages of [`Order::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageCount(usize);

impl PageCount {
    /// The maximum number of contiguous pages.
    pub const MAX: PageCount = PageCount(Order::MAX.pages());

    /// Returns a count of `pages` pages.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if `pages` is 0 or above [`PageCount::MAX`].
    #[inline]
    pub const fn new(pages: usize) -> Result<PageCount> {
        if pages == 0 || pages > Order::MAX.pages() {
            return Err(EINVAL);
        }
        // INVARIANT: Just checked.
        Ok(PageCount(pages))
    }

    /// Returns a count of `N` pages, which is checked at compile time.
    #[inline]
    pub const fn of<const N: usize>() -> PageCount {
        const {
            assert!(
                N != 0 && N <= Order::MAX.pages(),
                "no block has so many pages"
            )
        };
        // INVARIANT: Just checked.
        PageCount(N)
    }

    /// Returns the smallest count of pages that hold `bytes`.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if `bytes` is 0, or needs more pages than [`PageCount::MAX`].
    #[inline]
    pub const fn for_bytes(bytes: usize) -> Result<PageCount> {
        PageCount::new(bytes.div_ceil(PAGE_SIZE))
    }

    /// Returns the number of pages.
    #[inline]
    pub const fn get(self) -> usize {
        self.0
    }

    /// Returns the number of bytes in the pages.
    #[inline]
    pub const fn bytes(self) -> usize {
        self.0 * PAGE_SIZE
    }
}

impl From<Order> for PageCount {
    #[inline(always)]
    fn from(order: Order) -> PageCount {
        // INVARIANT: An order has at least one page, and at most those of `Order::MAX`.
        PageCount(order.pages())
    }
}
