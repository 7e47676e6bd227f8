// SPDX-License-Identifier: GPL-2.0-only

//! Page blocks that C code holds as one pointer: private data, entries of an XArray, or the argument
//! of two callbacks.
//!
//! The pointer consists of the block's address and its size: the low bits of a page's address are 0,
//! and have room for the number of pages.

use crate::{
    page::{
        order::{
            Order,
            PageCount, //
        },
        Block,
        BlockKind,
        Byte,
        Folio,
        PageSite,
        SharedPages, //
    },
    sys::foreign::{
        self,
        Borrowed, //
    }, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    ffi::c_void,
    page::{
        PAGE_MASK,
        PAGE_SIZE, //
    },
    types::ForeignOwnable, //
};

/// The bits of a pointer that are always 0, for the flags of data structures.
const ALIGN_BITS: u32 = 2;

/// Combines a block's address with its size.
fn encode(address: NonNull<u8>, pages: PageCount) -> *mut c_void {
    const { assert!((Order::MAX.pages() - 1) << ALIGN_BITS < PAGE_SIZE) };
    let size = (pages.get() - 1) << ALIGN_BITS;
    address.as_ptr().map_addr(|address| address | size).cast()
}

/// Separates a block's address from its size.
///
/// # Safety
///
/// `ptr` must come from [`encode`].
unsafe fn decode(ptr: *mut c_void) -> (NonNull<u8>, PageCount) {
    let pages = ((ptr.addr() & !PAGE_MASK) >> ALIGN_BITS) + 1;
    let address = ptr.cast::<u8>().map_addr(|address| address & PAGE_MASK);
    // SAFETY: The caller guarantees the address of a block, which is not NULL.
    let address = unsafe { NonNull::new_unchecked(address) };
    // The number was that of a count.
    (address, PageCount::new(pages).unwrap_or(PageCount::MAX))
}

impl<K: BlockKind, S: PageSite, T: Byte> Block<K, S, T> {
    /// Returns the address and the size of the block, without freeing it.
    ///
    /// Without a later [`from_raw`](Self::from_raw), the block is leaked.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::{ExactPages, PageCount, Tag};
    ///
    /// kalloc::sites! {
    ///     Frames: pages, "doc_block_raw";
    /// }
    ///
    /// let frame = ExactPages::<Frames>::zeroed(PageCount::of::<3>(), GFP_KERNEL)?;
    /// let ptr = frame.into_raw();
    /// assert_eq!(Frames::site().totals().live(), 1);
    /// // SAFETY: The pointer comes from `into_raw`, and is used once.
    /// let frame = unsafe { ExactPages::<Frames>::from_raw(ptr) };
    /// assert_eq!(frame.len(), PageCount::of::<3>().bytes());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn into_raw(self) -> *mut [T] {
        let this = ManuallyDrop::new(self);
        let address = this.handle.address().as_ptr().cast();
        core::ptr::slice_from_raw_parts_mut(address, this.size.into().bytes())
    }

    /// Creates the owner of the block that [`into_raw`](Self::into_raw) returned.
    ///
    /// # Safety
    ///
    /// - `ptr` must come from `into_raw` of a block of the same kind and site.
    /// - The caller must call this at most once for each call of `into_raw`.
    /// - If `T` is `u8`, the bytes must be initialized.
    pub unsafe fn from_raw(ptr: *mut [T]) -> Self {
        let pages = PageCount::for_bytes(ptr.len()).unwrap_or(PageCount::MAX);
        // SAFETY: The caller guarantees a live block of this kind that nothing else owns, with this
        // size and with bytes that are valid as `T`s. Its address is not NULL.
        unsafe { Self::of_parts(NonNull::new_unchecked(ptr.cast()), pages) }
    }

    /// Creates the owner of a block.
    ///
    /// # Safety
    ///
    /// There must be a live block of this kind and site with `pages` pages at `address`, which
    /// nothing else owns. Its bytes must be valid as `T`s.
    unsafe fn of_parts(address: NonNull<u8>, pages: PageCount) -> Self {
        // INVARIANT: The caller guarantees the block, its size and its bytes.
        Block {
            // SAFETY: The caller guarantees a live block of this kind.
            handle: unsafe { K::at(address) },
            size: K::size_of(pages),
            _site: PhantomData,
        }
    }
}

// SAFETY: The pointer contains the address of a page, which is not NULL. Its lowest bits are 0.
unsafe impl<K: BlockKind, S: PageSite, T: Byte> ForeignOwnable for Block<K, S, T> {
    const FOREIGN_ALIGN: usize = 1 << ALIGN_BITS;

    type Borrowed<'a>
        = Borrowed<'a, Self>
    where
        Self: 'a;
    type BorrowedMut<'a>
        = &'a mut [T]
    where
        Self: 'a;

    fn into_foreign(self) -> *mut c_void {
        let this = ManuallyDrop::new(self);
        encode(this.handle.address(), this.size.into())
    }

    unsafe fn from_foreign(ptr: *mut c_void) -> Self {
        // SAFETY: The caller guarantees a pointer from `into_foreign`, which gave up the block with
        // this address and size.
        unsafe {
            let (address, pages) = decode(ptr);
            Self::of_parts(address, pages)
        }
    }

    unsafe fn borrow<'a>(ptr: *mut c_void) -> Borrowed<'a, Self>
    where
        Self: 'a,
    {
        // SAFETY: The caller guarantees a pointer from `into_foreign`, whose block is live and only
        // borrowed as shared for `'a`. The copy is not dropped.
        unsafe { Borrowed::new(Self::from_foreign(ptr)) }
    }

    unsafe fn borrow_mut<'a>(ptr: *mut c_void) -> &'a mut [T]
    where
        Self: 'a,
    {
        // SAFETY: The caller guarantees a pointer from `into_foreign`, whose block is live and not
        // borrowed otherwise for `'a`. Its bytes are valid as `T`s.
        unsafe {
            let (address, pages) = decode(ptr);
            core::slice::from_raw_parts_mut(address.cast().as_ptr(), pages.bytes())
        }
    }
}

// SAFETY: The pointer contains the address of a page, which is not NULL. Its lowest bits are 0.
unsafe impl<S: PageSite> ForeignOwnable for SharedPages<S> {
    const FOREIGN_ALIGN: usize = 1 << ALIGN_BITS;

    foreign::borrow_as_owner!();

    fn into_foreign(self) -> *mut c_void {
        let (folio, order) = self.into_parts();
        encode(folio.address(), order.into())
    }

    unsafe fn from_foreign(ptr: *mut c_void) -> Self {
        // SAFETY: The caller guarantees a pointer from `into_foreign`, which gave up an owner of
        // the compound page with this address and size.
        unsafe {
            let (address, pages) = decode(ptr);
            SharedPages::from_parts(Folio::at(address), Folio::size_of(pages))
        }
    }
}
