// SPDX-License-Identifier: GPL-2.0

//! Pages that are there already, mapped side by side.

use crate::page::{
    PageArray,
    PageSite, //
};
use core::{
    marker::PhantomData,
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull, //
};
use kernel::{
    alloc::AllocError,
    page::PAGE_SIZE, //
};

/// What can be done with a [`Mapping`].
///
/// # Examples
///
/// ```
/// use kalloc::{mm::vmap::Access, page::PageSite, Mapping, PageArray};
///
/// /// Sums up what is mapped, be it writable or not.
/// fn sum<S: PageSite, A: Access>(mapping: &Mapping<'_, S, A>) -> u64 {
///     mapping.iter().copied().map(u64::from).sum()
/// }
///
/// kalloc::sites! {
///     Buffers: pages, "doc_access";
/// }
///
/// let mut buffer = PageArray::<Buffers>::zeroed(2, GFP_KERNEL)?;
/// assert_eq!(sum(&Mapping::new(&mut buffer)?), 0);
/// assert_eq!(sum(&Mapping::read_only(&mut buffer)?), 0);
/// # Ok::<(), Error>(())
/// ```
pub trait Access: sealed::Access {}

impl<A: sealed::Access> Access for A {}

/// What only this module may implement.
mod sealed {
    pub trait Access: Send + Sync {
        /// Whether the memory can be written.
        const WRITABLE: bool;
    }
}

/// A [`Mapping`] through which memory can be written.
///
/// # Examples
///
/// ```
/// use kalloc::{mm::vmap::ReadWrite, Mapping, PageArray};
///
/// kalloc::sites! {
///     Buffers: pages, "doc_read_write";
/// }
///
/// let mut buffer = PageArray::<Buffers>::zeroed(2, GFP_KERNEL)?;
/// let mut mapping: Mapping<'_, Buffers, ReadWrite> = Mapping::new(&mut buffer)?;
/// mapping.fill(1);
/// assert_eq!(mapping.last(), Some(&1));
/// # Ok::<(), Error>(())
/// ```
pub struct ReadWrite;

/// A [`Mapping`] through which memory can be read; the processor refuses to write it.
///
/// # Examples
///
/// ```
/// use kalloc::{mm::vmap::ReadOnly, Mapping, PageArray};
///
/// kalloc::sites! {
///     Buffers: pages, "doc_read_only";
/// }
///
/// let mut buffer = PageArray::<Buffers>::zeroed(2, GFP_KERNEL)?;
/// let mapping: Mapping<'_, Buffers, ReadOnly> = Mapping::read_only(&mut buffer)?;
/// assert!(mapping.iter().all(|&byte| byte == 0));
/// # Ok::<(), Error>(())
/// ```
pub struct ReadOnly;

impl sealed::Access for ReadWrite {
    const WRITABLE: bool = true;
}

impl sealed::Access for ReadOnly {
    const WRITABLE: bool = false;
}

/// Pages mapped side by side into the vmalloc area: `vmap()`.
///
/// Borrows the pages, which are reached through nothing else meanwhile. A mapping that is forgotten, or
/// dropped where unmapping is not allowed, is found there by the next one of its kind, or goes with the
/// pages.
///
/// # Examples
///
/// ```
/// use kalloc::{Mapping, PageArray};
/// use kernel::page::PAGE_SIZE;
///
/// kalloc::sites! {
///     Buffers: pages, "doc_mapping";
/// }
///
/// let mut buffer = PageArray::<Buffers>::zeroed(3, GFP_KERNEL)?;
/// let mut mapping = Mapping::new(&mut buffer)?;
/// assert_eq!(mapping.len(), 3 * PAGE_SIZE);
/// mapping.fill(7);
///
/// // The pages have it, mapped or not.
/// drop(mapping);
/// let mut last = [0];
/// buffer.read(3 * PAGE_SIZE - 1, &mut last)?;
/// assert_eq!(last, [7]);
/// # Ok::<(), Error>(())
/// ```
pub struct Mapping<'p, S: PageSite, A: Access = ReadWrite> {
    pages: &'p mut PageArray<S>,
    addr: NonNull<u8>,
    _access: PhantomData<A>,
}

// SAFETY: The mapping is memory like any other, and belongs to no thread.
unsafe impl<S: PageSite, A: Access> Send for Mapping<'_, S, A> {}
// SAFETY: As above; a shared reference only reads.
unsafe impl<S: PageSite, A: Access> Sync for Mapping<'_, S, A> {}

impl<'p, S: PageSite> Mapping<'p, S> {
    /// Maps `pages`, in their order.
    ///
    /// The flags that the pages were allocated with are those of the page tables, too: with `NOIO` this starts
    /// no I/O, with `NORETRY` it does not invoke the OOM killer. The kernel charges nobody for page tables.
    ///
    /// # Context
    ///
    /// Process context; may sleep. Dropping may happen anywhere but in NMI.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no room or no memory for page tables, or where sleeping is known not
    /// to be allowed.
    pub fn new(pages: &'p mut PageArray<S>) -> Result<Self, AllocError> {
        Self::with_access(pages)
    }
}

impl<'p, S: PageSite> Mapping<'p, S, ReadOnly> {
    /// Maps `pages`, in their order, so that a stray write to them faults.
    ///
    /// # Context
    ///
    /// As [`Mapping::new`].
    ///
    /// # Errors
    ///
    /// As [`Mapping::new`].
    pub fn read_only(pages: &'p mut PageArray<S>) -> Result<Self, AllocError> {
        Self::with_access(pages)
    }
}

impl<'p, S: PageSite, A: Access> Mapping<'p, S, A> {
    fn with_access(pages: &'p mut PageArray<S>) -> Result<Self, AllocError> {
        let addr = pages.map(A::WRITABLE)?;
        Ok(Mapping {
            pages,
            addr,
            _access: PhantomData,
        })
    }
}

impl<S: PageSite, A: Access> Deref for Mapping<'_, S, A> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: All pages are mapped there while `self` borrows them, which it does alone; they
        // are initialised, being a `PageArray`'s.
        unsafe { core::slice::from_raw_parts(self.addr.as_ptr(), self.pages.len() * PAGE_SIZE) }
    }
}

impl<S: PageSite> DerefMut for Mapping<'_, S> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: As for `deref`; `self` is borrowed mutably, and the mapping is writable.
        unsafe { core::slice::from_raw_parts_mut(self.addr.as_ptr(), self.pages.len() * PAGE_SIZE) }
    }
}

impl<S: PageSite, A: Access> Drop for Mapping<'_, S, A> {
    fn drop(&mut self) {
        self.pages.unmap();
    }
}
