// SPDX-License-Identifier: GPL-2.0-only

//! Mappings of existing pages into contiguous kernel addresses (`vmap()`).

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

/// The access that a [`Mapping`] allows.
///
/// # Examples
///
/// ```
/// use kalloc::{mm::vmap::Access, page::PageSite, Mapping, PageArray};
///
/// /// Adds up the mapped bytes, writable or not.
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

/// Seals [`Access`]: only this module implements it.
mod sealed {
    pub trait Access: Send + Sync {
        /// True if the memory can be written.
        const WRITABLE: bool;
    }
}

/// Access that allows writing the memory of a [`Mapping`].
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

/// Access that allows only reading the memory of a [`Mapping`]; a write faults.
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

/// Pages mapped contiguously into the vmalloc area: `vmap()`.
///
/// The mapping borrows the pages mutably, so it is the only access to them. A mapping that is
/// leaked, or dropped where unmapping is not allowed, stays. The next mapping of the same kind
/// reuses it, or the pages unmap it when they are freed.
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
/// // The pages keep their contents after unmapping.
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

// SAFETY: Mapped memory is not bound to a thread.
unsafe impl<S: PageSite, A: Access> Send for Mapping<'_, S, A> {}
// SAFETY: A shared reference to mapped memory only reads it, from any thread.
unsafe impl<S: PageSite, A: Access> Sync for Mapping<'_, S, A> {}

impl<'p, S: PageSite> Mapping<'p, S> {
    /// Maps `pages`, in their order.
    ///
    /// The page tables are allocated with the flags of the pages: `NOIO` starts no I/O, and
    /// `NORETRY` does not invoke the OOM killer. The kernel charges page tables to no cgroup.
    ///
    /// # Context
    ///
    /// Process context; may sleep. Dropping is allowed in any context but NMI.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no address space or no memory for page tables, or in a context
    /// known to be atomic.
    pub fn new(pages: &'p mut PageArray<S>) -> Result<Self, AllocError> {
        Self::with_access(pages)
    }
}

impl<'p, S: PageSite> Mapping<'p, S, ReadOnly> {
    /// Maps `pages`, in their order, without write access: a stray write through the mapping
    /// faults.
    ///
    /// # Context
    ///
    /// The context of [`Mapping::new`].
    ///
    /// # Errors
    ///
    /// The errors of [`Mapping::new`].
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
        // SAFETY: All pages are mapped at `addr` while `self` borrows them exclusively. The pages
        // of a `PageArray` are initialized.
        unsafe { core::slice::from_raw_parts(self.addr.as_ptr(), self.pages.len() * PAGE_SIZE) }
    }
}

impl<S: PageSite> DerefMut for Mapping<'_, S> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: All pages are mapped at `addr`, writable and initialized. `self` is borrowed
        // mutably, and borrows the pages exclusively.
        unsafe { core::slice::from_raw_parts_mut(self.addr.as_ptr(), self.pages.len() * PAGE_SIZE) }
    }
}

impl<S: PageSite, A: Access> Drop for Mapping<'_, S, A> {
    fn drop(&mut self) {
        self.pages.unmap();
    }
}
