// SPDX-License-Identifier: GPL-2.0-only

//! Blocks of pages from the page allocator.
//!
//! A block of order `n` is `2^n` physically contiguous pages. [`Pages`] holds a block by its
//! `struct page`, [`FreePages`] by its address. The two differ in the C functions that they call,
//! and in the value that needs no conversion. [`ExactPages`] is any number of contiguous pages.
//! [`CompoundPages`] can be [`share`](CompoundPages::share)d by any number of [`SharedPages`].
//! [`PageArray`] holds single pages, allocated in bulk from anywhere in memory. An [`Arena`] places
//! objects of any types in its blocks, and frees all together.
//!
//! | C | here |
//! |---|---|
//! | `alloc_page(s)`, `__free_pages` | [`Pages::zeroed`], [`Pages::uninit`], drop |
//! | `__get_free_page(s)`, `get_zeroed_page`, `free_page(s)` | [`FreePages::zeroed`], [`FreePages::uninit`], drop |
//! | `alloc_pages_exact`, `free_pages_exact` | [`ExactPages::zeroed`], [`ExactPages::uninit`], drop |
//! | `split_page` | [`split_pages`](Block::split_pages) |
//! | `__GFP_COMP`, `get_page`, `put_page` | [`CompoundPages`], [`SharedPages`], [`PageRef`] |
//! | `copy_from_user` | [`read_from`](Block::read_from); any slice, once it is initialized |
//! | `alloc_pages_bulk` | [`PageArray::zeroed`] |
//! | `vm_insert_page` | [`KernelPage`], by [`into_page`](Block::into_page) |
//! | a pointer in C | [`into_raw`](Block::into_raw), [`ForeignOwnable`](kernel::types::ForeignOwnable) |
//! | `kmap_local_page`, `kunmap_local` | [`PageArray::read`], [`PageArray::write`] and others |
//!
//! Blocks come from the direct map: `__GFP_HIGHMEM` is ignored for them. Only a [`PageArray`] can
//! have pages outside it.
//!
//! # Context
//!
//! Allocating may sleep unless the flags forbid it. Freeing never sleeps, and its latency is
//! bounded in atomic context: a worker frees the blocks that C would free page by page
//! ([`PageArray`], [`ExactPages`], [`Split`], [`Arena`]), and compound pages of the largest order. With
//! `CONFIG_PREEMPT_RT`, other blocks must be freed in a context that [may
//! allocate](crate::sys::context::can_allocate).
//!
//! C header: [`include/linux/gfp.h`](srctree/include/linux/gfp.h)

use self::{
    order::Order,
    zone::Zone, //
};
use crate::{
    accounting::{
        family,
        site::{
            self,
            Family,
            Shape,
            Site,
            Tag, //
        },
        stats::Totals, //
    },
    sys::{
        bindings,
        gfp::Gfp, //
    }, //
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
    }, //
};
use kernel::{
    alloc::AllocError,
    page::PAGE_SIZE,
    prelude::*,
    uaccess::UserSliceReader, //
};

mod arena;
mod compound;
mod exact;
mod foreign;
mod kernel_page;
mod kind;
mod kmap_local;
pub mod order;
mod page_array;
mod split;
pub mod zone;

pub use self::{
    arena::Arena,
    compound::{
        PageRef,
        SharedPages, //
    },
    kernel_page::KernelPage,
    kind::{
        BlockKind,
        Exact,
        Folio,
        SplitKind,
        StructPage,
        Virt, //
    },
    page_array::PageArray,
    split::Split, //
};

impl Family for family::PageAlloc {
    const NAME: &'static str = "pages";
    const MAX_SIZE: usize = Order::MAX.bytes();

    fn unit_footprint(site: &Site) -> usize {
        site.unit()
    }

    fn shape(_: &Site, live: &Totals) -> Shape {
        Shape::mixed(live)
    }
}

/// A site of page blocks: an abbreviation of the bound on the [`Tag`].
///
/// # Examples
///
/// ```
/// use kalloc::{page::PageSite, Order, Pages};
///
/// fn ring<S: PageSite>() -> Result<Pages<S>> {
///     Ok(Pages::zeroed(Order::of::<1>(), GFP_KERNEL)?)
/// }
///
/// kalloc::sites! {
///     Rings: pages, "doc_page_site";
/// }
///
/// assert_eq!(ring::<Rings>()?.order(), Order::of::<1>());
/// # Ok::<(), Error>(())
/// ```
pub trait PageSite: Tag<Family = family::PageAlloc> {}

impl<S: Tag<Family = family::PageAlloc>> PageSite for S {}

/// The type of a block's bytes: `u8`, or `MaybeUninit<u8>` until they are written.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     page::{Byte, PageSite},
///     Order, Pages,
/// };
///
/// /// Returns the page frame number of a block, initialized or not.
/// fn pfn<S: PageSite, T: Byte>(block: &Pages<S, T>) -> usize {
///     block.pfn()
/// }
///
/// kalloc::sites! {
///     Rings: pages, "doc_byte";
/// }
///
/// let block = Pages::<Rings, _>::uninit(Order::ZERO, GFP_KERNEL)?;
/// let before = pfn(&block);
/// assert_eq!(pfn(&block.fill(0)), before);
/// # Ok::<(), Error>(())
/// ```
pub trait Byte: sealed::Sealed {}

impl Byte for u8 {}
impl Byte for MaybeUninit<u8> {}

/// The types with the sealed traits [`BlockKind`] and [`Byte`].
mod sealed {
    use super::*;

    pub trait Sealed {}

    impl Sealed for StructPage {}
    impl Sealed for Virt {}
    impl Sealed for Exact {}
    impl Sealed for Folio {}
    impl Sealed for u8 {}
    impl Sealed for MaybeUninit<u8> {}
}

/// A block of pages, held by its `struct page` and counted at site `S`.
///
/// `T` is `u8` for initialized memory, else `MaybeUninit<u8>`.
///
/// # Examples
///
/// ```
/// use kalloc::{Order, Pages};
/// use kernel::page::PAGE_SIZE;
///
/// kalloc::sites! {
///     Rings: pages, "doc_pages";
/// }
///
/// let mut ring = Pages::<Rings>::zeroed(Order::of::<1>(), GFP_KERNEL)?;
/// assert_eq!(ring.len(), 2 * PAGE_SIZE);
/// ring.fill(0xff);
/// assert_eq!(ring.last(), Some(&0xff));
/// # Ok::<(), Error>(())
/// ```
pub type Pages<S, T = u8> = Block<StructPage, S, T>;

/// A block of pages, held by its address and counted at site `S`.
///
/// `T` is `u8` for initialized memory, else `MaybeUninit<u8>`.
///
/// # Examples
///
/// ```
/// use kalloc::{FreePages, Order};
///
/// kalloc::sites! {
///     Logs: pages, "doc_free_pages";
/// }
///
/// let mut log = FreePages::<Logs>::zeroed(Order::ZERO, GFP_KERNEL)?;
/// if let Some(line) = log.get_mut(..5) {
///     line.copy_from_slice(b"ready");
/// }
/// assert!(log.starts_with(b"ready\0"));
/// # Ok::<(), Error>(())
/// ```
pub type FreePages<S, T = u8> = Block<Virt, S, T>;

/// Any number of contiguous pages, at most those of [`Order::MAX`], counted at site `S`.
///
/// `T` is `u8` for initialized memory, else `MaybeUninit<u8>`.
///
/// # Examples
///
/// ```
/// use kalloc::{ExactPages, PageCount};
/// use kernel::page::PAGE_SIZE;
///
/// kalloc::sites! {
///     Frames: pages, "doc_exact_pages";
/// }
///
/// // Three pages, where a block of an order would have four.
/// let frame = ExactPages::<Frames>::zeroed(PageCount::of::<3>(), GFP_KERNEL)?;
/// assert_eq!(frame.len(), 3 * PAGE_SIZE);
/// # Ok::<(), Error>(())
/// ```
pub type ExactPages<S, T = u8> = Block<Exact, S, T>;

/// A compound page, counted at site `S`.
///
/// All pages of the block have one reference count, so that the block can be
/// [`share`](Block::share)d once it is initialized.
///
/// `T` is `u8` for initialized memory, else `MaybeUninit<u8>`.
///
/// # Examples
///
/// ```
/// use kalloc::{CompoundPages, Order};
///
/// kalloc::sites! {
///     Tables: pages, "doc_compound_pages";
/// }
///
/// let table = CompoundPages::<Tables, _>::uninit(Order::of::<1>(), GFP_KERNEL)?.fill(1);
/// let table = table.share();
/// let other = table.clone();
/// assert_eq!(table.as_ptr(), other.as_ptr());
/// # Ok::<(), Error>(())
/// ```
pub type CompoundPages<S, T = u8> = Block<Folio, S, T>;

/// An owned block of contiguous pages: a slice of bytes, freed on drop.
///
/// Initialized bytes can be copied to user space like any slice
/// ([`UserSliceWriter::write_slice`](kernel::uaccess::UserSliceWriter::write_slice)). Copying
/// uninitialized bytes does not compile.
///
/// # Examples
///
/// ```
/// use kalloc::{Order, Pages, Tag};
/// use kernel::page::PAGE_SIZE;
///
/// kalloc::sites! {
///     Rings: pages, "doc_block";
/// }
///
/// // The block is not zeroed first, because all of it is written.
/// let ring = Pages::<Rings, _>::uninit(Order::of::<1>(), GFP_KERNEL)?.fill(0xff);
/// assert_eq!((ring.order().pages(), ring.len()), (2, 2 * PAGE_SIZE));
/// // The address that a driver passes to a device.
/// assert_eq!(ring.phys(), ring.pfn() as u64 * PAGE_SIZE as u64);
/// pr_info!(
///     "ring on node {}, in zone {}\n",
///     ring.node(),
///     ring.zone().name()
/// );
///
/// drop(ring);
/// assert_eq!(Rings::site().totals().live(), 0);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// - `handle` holds a live block of `size` that nothing else owns.
/// - The bytes of the block are valid as `T`s.
pub struct Block<K: BlockKind, S: PageSite, T: Byte = u8> {
    handle: K,
    size: K::Size,
    _site: PhantomData<(S, T)>,
}

impl<K: BlockKind, S: PageSite> Block<K, S> {
    /// Allocates a zeroed block.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails.
    #[inline]
    pub fn zeroed(size: K::Size, gfp: impl Into<Gfp>) -> Result<Self, AllocError> {
        // SAFETY: `Gfp::ZERO` has the page allocator zero the block, so all bytes are initialized.
        Ok(unsafe { Block::uninit(size, gfp.into() | Gfp::ZERO)?.assume_init() })
    }
}

impl<K: BlockKind, S: PageSite> Block<K, S, MaybeUninit<u8>> {
    /// Allocates a block without initializing it.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails.
    #[inline(always)]
    pub fn uninit(size: K::Size, gfp: impl Into<Gfp>) -> Result<Self, AllocError> {
        let gfp = gfp.into();
        // SAFETY: This crate calls it, and counts the block below.
        let Some(handle) = (unsafe { K::alloc(size, gfp) }) else {
            site::count_failure::<S>(gfp, false);
            return Err(AllocError);
        };
        let bytes = size.into().bytes();
        site::count_alloc::<S>(bytes, bytes);
        // INVARIANT: The block is new, and any bytes are valid as `MaybeUninit`.
        Ok(Block {
            handle,
            size,
            _site: PhantomData,
        })
    }

    /// Sets every byte to `byte`.
    pub fn fill(mut self, byte: u8) -> Block<K, S> {
        (*self).fill(MaybeUninit::new(byte));
        // SAFETY: `fill` wrote every byte.
        unsafe { self.assume_init() }
    }

    /// Fills the block from user space, and the rest with zeroes if `reader` is shorter.
    ///
    /// # Context
    ///
    /// Process context; may sleep.
    ///
    /// # Errors
    ///
    /// Returns the block with [`EFAULT`] if the user memory is not readable.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::{Order, Pages};
    /// use kernel::uaccess::UserSliceReader;
    ///
    /// kalloc::sites! {
    ///     Writes: pages, "doc_read_from";
    /// }
    ///
    /// /// Copies the bytes of a process into a block, like a driver's `write`.
    /// fn take(reader: &mut UserSliceReader) -> Result<Pages<Writes>> {
    ///     let block = Pages::uninit(Order::for_bytes(reader.len())?, GFP_KERNEL)?;
    ///     block.read_from(reader).map_err(|(_, error)| error)
    /// }
    /// # use kernel::uaccess::{UserPtr, UserSlice};
    /// # let block = take(&mut UserSlice::new(UserPtr::from_addr(0), 0).reader())?;
    /// # assert!(block.iter().all(|&byte| byte == 0));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn read_from(mut self, reader: &mut UserSliceReader) -> Result<Block<K, S>, (Self, Error)> {
        let len = self.len().min(reader.len());
        let (copied, rest) = self.split_at_mut(len);
        if let Err(error) = reader.read_raw(copied) {
            return Err((self, error));
        }
        rest.fill(MaybeUninit::new(0));
        // SAFETY: All bytes are written: `read_raw` guarantees that it wrote `copied`, and `fill`
        // wrote `rest`.
        Ok(unsafe { self.assume_init() })
    }

    /// Converts the block into an initialized one.
    ///
    /// # Safety
    ///
    /// All of its bytes must have been written.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::{Order, Pages};
    ///
    /// kalloc::sites! {
    ///     Rings: pages, "doc_assume_init";
    /// }
    ///
    /// let mut ring = Pages::<Rings, _>::uninit(Order::ZERO, GFP_KERNEL)?;
    /// for (byte, value) in ring.iter_mut().zip((0..=u8::MAX).cycle()) {
    ///     byte.write(value);
    /// }
    /// // SAFETY: Every byte was written.
    /// let ring = unsafe { ring.assume_init() };
    /// assert_eq!(ring.get(7), Some(&7));
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub unsafe fn assume_init(self) -> Block<K, S> {
        let this = ManuallyDrop::new(self);
        // INVARIANT: The block is moved out of `self`. The caller guarantees that all bytes are
        // initialized.
        Block {
            handle: this.handle,
            size: this.size,
            _site: PhantomData,
        }
    }
}

impl<K: BlockKind<Size = Order>, S: PageSite, T: Byte> Block<K, S, T> {
    /// Returns the block's order.
    #[inline]
    pub fn order(&self) -> Order {
        self.size
    }
}

impl<K: BlockKind, S: PageSite, T: Byte> Block<K, S, T> {
    /// Returns the page frame number of the first page. The other pages follow it.
    pub fn pfn(&self) -> usize {
        // SAFETY: By the type invariants, the page is live.
        unsafe { bindings::kalloc_helper_page_to_pfn(self.handle.page().as_ptr()) as usize }
    }

    /// Returns the physical address of the first byte.
    pub fn phys(&self) -> u64 {
        // CAST: Both are 64 bits wide at most.
        self.pfn() as u64 * PAGE_SIZE as u64
    }

    /// Returns the ID of the NUMA node that the block is on.
    pub fn node(&self) -> i32 {
        // SAFETY: By the type invariants, the page is live.
        unsafe { bindings::page_to_nid(self.handle.page().as_ptr()) }
    }

    /// Returns the zone that the block is in.
    pub fn zone(&self) -> Zone {
        // SAFETY: By the type invariants, the page is live.
        unsafe { Zone::of(self.handle.page().as_ptr()) }
    }
}

impl<K: BlockKind, S: PageSite, T: Byte> Deref for Block<K, S, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        let start = self.handle.address().cast::<T>().as_ptr();
        // SAFETY: By the type invariants, the block is mapped at `start` and valid as `T`s, which
        // are bytes. The borrow of `self` keeps it alive and unwritten.
        unsafe { core::slice::from_raw_parts(start, self.size.into().bytes()) }
    }
}

impl<K: BlockKind, S: PageSite, T: Byte> DerefMut for Block<K, S, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        let start = self.handle.address().cast::<T>().as_ptr();
        // SAFETY: By the type invariants, the block is mapped at `start` and valid as `T`s, which
        // are bytes. The mutable borrow of `self` keeps it alive and excludes other accesses.
        unsafe { core::slice::from_raw_parts_mut(start, self.size.into().bytes()) }
    }
}

impl<K: BlockKind, S: PageSite, T: Byte> Drop for Block<K, S, T> {
    #[inline(always)]
    fn drop(&mut self) {
        let bytes = self.size.into().bytes();
        site::count_free::<S>(bytes, bytes);
        // SAFETY: By the type invariants, the block is live, owned by `self`, and of this size.
        unsafe { self.handle.free(self.size) };
    }
}
