// SPDX-License-Identifier: GPL-2.0

//! Single pages by the dozen.

use super::Buddy;
use crate::{
    bindings,
    gfp::{
        Gfp,
        Zone, //
    },
    site::{
        self,
        Tag, //
    }, //
};
use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    alloc::{
        AllocError,
        KVVec, //
    },
    ffi::{
        c_uint,
        c_ulong, //
    },
    page::PAGE_SIZE,
    prelude::*, //
};

/// Single pages, zeroed at first, anywhere in memory, counted at site `S`.
///
/// With `__GFP_HIGHMEM` they may be where the kernel has no address for them. They are reached one by
/// one ([`read`](Self::read), [`write`](Self::write) and others), or all together through a
/// [`Mapping`](crate::Mapping). The list of them is not counted.
///
/// # Invariants
///
/// - `pages` holds live pages of order 0 that nothing else owns and that are initialised.
/// - `mapped`, if there is one, is a mapping of all of them by `vmap()`.
pub struct PageArray<S: Tag<Family = Buddy>> {
    pages: KVVec<*mut bindings::page>,
    mapped: Option<NonNull<u8>>,
    _site: PhantomData<fn() -> S>,
}

// SAFETY: Pages belong to no thread.
unsafe impl<S: Tag<Family = Buddy>> Send for PageArray<S> {}
// SAFETY: As above; a shared reference only reads what they contain.
unsafe impl<S: Tag<Family = Buddy>> Sync for PageArray<S> {}

impl<S: Tag<Family = Buddy>> PageArray<S> {
    /// Allocates `len` zeroed pages, all or none.
    ///
    /// Does not invoke the OOM killer.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there are not as many pages, or `len` is 0 or more than the machine has.
    pub fn zeroed(len: usize, gfp: impl Into<Gfp>) -> Result<Self, AllocError> {
        // SAFETY: Reads a counter.
        let all = unsafe { bindings::kalloc_helper_totalram_pages() };
        // One mapping takes as many as C can count.
        if len == 0 || len > all || len > i32::MAX as usize {
            return Err(AllocError);
        }
        let gfp = (gfp.into() | Gfp::ZERO | Gfp::RETRY_MAYFAIL).with_one_zone();
        // The bulk allocator fills the slots that are NULL, which is what dropping skips.
        // INVARIANT: No pages yet.
        let mut this = PageArray {
            pages: KVVec::from_elem(ptr::null_mut(), len, GFP_KERNEL | __GFP_NOWARN)?,
            mapped: None,
            _site: PhantomData,
        };
        // It may stop early for a reason that does not concern single pages, so that those are
        // asked for one by one.
        // SAFETY: There are `len` slots, and each is NULL or a page that the array owns then.
        unsafe {
            bindings::kalloc_helper_alloc_pages_bulk(
                gfp.as_raw(),
                len as c_ulong,
                this.pages.as_mut_ptr(),
            )
        };
        let filled = this.pages.iter().filter(|page| !page.is_null()).count();
        (0..filled).for_each(|_| site::count_alloc::<S>(PAGE_SIZE, PAGE_SIZE));
        for slot in &mut this.pages {
            if slot.is_null() {
                // SAFETY: Order 0 is valid.
                *slot = unsafe { bindings::alloc_pages(gfp.as_raw(), 0) };
                if slot.is_null() {
                    site::count_failure::<S>(gfp, false);
                    return Err(AllocError);
                }
                site::count_alloc::<S>(PAGE_SIZE, PAGE_SIZE);
            }
        }
        Ok(this)
    }

    /// The number of pages.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether there are none: never, for an array that was allocated.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The page frame number of page `index`.
    pub fn pfn(&self, index: usize) -> Option<usize> {
        let &page = self.pages().get(index)?;
        // SAFETY: By the invariants, the page is live.
        Some(unsafe { bindings::kalloc_helper_page_to_pfn(page) } as usize)
    }

    /// The zone that page `index` is in.
    pub fn zone(&self, index: usize) -> Option<Zone> {
        let &page = self.pages().get(index)?;
        // SAFETY: By the invariants, the page is live.
        Some(unsafe { Zone::of(page) })
    }

    /// The id of the NUMA node that page `index` is on.
    pub fn node(&self, index: usize) -> Option<i32> {
        let &page = self.pages().get(index)?;
        // SAFETY: By the invariants, the page is live.
        Some(unsafe { bindings::page_to_nid(page) })
    }

    /// The pages.
    pub(super) fn pages(&self) -> &[*mut bindings::page] {
        &self.pages
    }

    /// Maps all pages in their order, and returns where.
    pub(crate) fn map(&mut self) -> Result<NonNull<u8>, AllocError> {
        if let Some(addr) = self.mapped {
            // The last mapping was forgotten.
            return Ok(addr);
        }
        // CAST: `zeroed` limits the length.
        let count = self.pages.len() as c_uint;
        // SAFETY: The array has `count` pages, which are live.
        let addr = unsafe { bindings::kalloc_helper_vmap(self.pages.as_mut_ptr(), count) };
        // INVARIANT: All pages were mapped there.
        self.mapped = NonNull::new(addr.cast());
        self.mapped.ok_or(AllocError)
    }

    /// Undoes [`map`](Self::map).
    pub(crate) fn unmap(&mut self) {
        if let Some(addr) = self.mapped.take() {
            // SAFETY: By the invariants.
            unsafe { bindings::vunmap(addr.as_ptr().cast()) };
        }
    }
}

impl<S: Tag<Family = Buddy>> Drop for PageArray<S> {
    fn drop(&mut self) {
        // A mapping must go before its pages.
        self.unmap();
        for &page in self.pages.iter().filter(|page| !page.is_null()) {
            site::count_free::<S>(PAGE_SIZE, PAGE_SIZE);
            // SAFETY: By the invariants, a live page of ours, of order 0.
            unsafe { bindings::__free_pages(page, 0) };
        }
    }
}
