// SPDX-License-Identifier: GPL-2.0

//! Single pages by the dozen.

use super::Buddy;
use crate::{
    bindings,
    context,
    deferred,
    gfp::Gfp,
    site::{
        self,
        Tag, //
    },
    zone::Zone, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
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
/// # Examples
///
/// ```
/// use kalloc::PageArray;
/// use kernel::page::PAGE_SIZE;
///
/// kalloc::sites! {
///     Buffers: pages, "doc_page_array";
/// }
///
/// let mut buffer = PageArray::<Buffers>::zeroed(3, GFP_KERNEL | __GFP_HIGHMEM)?;
/// assert_eq!((buffer.len(), buffer.is_empty()), (3, false));
///
/// // Across the end of the first page.
/// buffer.write(PAGE_SIZE - 2, b"across")?;
/// let mut word = [0; 6];
/// buffer.read(PAGE_SIZE - 2, &mut word)?;
/// assert_eq!(&word, b"across");
///
/// // Its beginning is now in the third page, too.
/// buffer.copy_page(0, 2)?;
/// buffer.read(3 * PAGE_SIZE - 2, &mut word[..2])?;
/// assert_eq!(&word, b"across");
///
/// // Each page is somewhere.
/// assert_ne!(buffer.pfn(0), buffer.pfn(1));
/// assert!(buffer.zone(2).is_some() && buffer.node(2).is_some() && buffer.pfn(3).is_none());
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// All pages are initialised.
pub struct PageArray<S: Tag<Family = Buddy>> {
    parts: ManuallyDrop<Parts>,
    _site: PhantomData<fn() -> S>,
}

/// What an array is made of, whatever its site.
///
/// # Invariants
///
/// - `list` is NULL or live pages of order 0 that nothing else owns, with room for [`SPARE`] more.
/// - `mapped`, if there is one, is a mapping of all of them by `vmap()`.
struct Parts {
    list: KVVec<*mut bindings::page>,
    mapped: Option<Mapped>,
}

/// Where pages are mapped.
#[derive(Clone, Copy)]
struct Mapped {
    addr: NonNull<u8>,
    writable: bool,
}

/// Parts of an array that wait to be freed, in the spare room of their own list.
#[repr(C)]
struct Waiting {
    entry: deferred::Entry,
    parts: Parts,
}

/// What [`Waiting`] takes in the list, so that it needs no memory when it is needed.
const SPARE: usize = size_of::<Waiting>().div_ceil(size_of::<*mut bindings::page>());

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
    /// May sleep. Dropping may happen anywhere but in NMI; a worker frees what could not be freed there.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there are not as many pages, or `len` is 0 or more than the machine has, or
    /// where sleeping is known not to be allowed.
    pub fn zeroed(len: usize, gfp: impl Into<Gfp>) -> Result<Self, AllocError> {
        // SAFETY: Reads a counter.
        let all = unsafe { bindings::kalloc_helper_totalram_pages() };
        let gfp = (gfp.into() | Gfp::ZERO | Gfp::RETRY_MAYFAIL).with_one_zone();
        let failed = |invalid| {
            site::count_failure::<S>(gfp, invalid);
            AllocError
        };
        // One mapping takes as many as C can count.
        if len == 0 || len > all || len > i32::MAX as usize || context::is_atomic() {
            return Err(failed(true));
        }
        let list = Parts::empty_list(len).map_err(|_| failed(false))?;
        // INVARIANT: No pages yet.
        let mut this = PageArray {
            parts: ManuallyDrop::new(Parts { list, mapped: None }),
            _site: PhantomData,
        };
        // It may stop early for a reason that does not concern single pages, so that those are
        // asked for one by one.
        // SAFETY: There are `len` slots, and each is NULL or a page that the array owns then.
        unsafe {
            bindings::kalloc_helper_alloc_pages_bulk(
                gfp.as_raw(),
                len as c_ulong,
                this.parts.list.as_mut_ptr(),
            )
        };
        let filled = this.pages().iter().filter(|page| !page.is_null()).count();
        (0..filled).for_each(|_| site::count_alloc::<S>(PAGE_SIZE, PAGE_SIZE));
        for slot in &mut this.parts.list {
            if slot.is_null() {
                // SAFETY: Order 0 is valid.
                *slot = unsafe { bindings::alloc_pages(gfp.as_raw(), 0) };
                if slot.is_null() {
                    return Err(failed(false));
                }
                site::count_alloc::<S>(PAGE_SIZE, PAGE_SIZE);
            }
        }
        Ok(this)
    }

    /// The number of pages.
    pub fn len(&self) -> usize {
        self.pages().len()
    }

    /// Whether there are none: never, for an array that was allocated.
    pub fn is_empty(&self) -> bool {
        self.pages().is_empty()
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
        &self.parts.list
    }

    /// Maps all pages in their order, and returns where.
    pub(crate) fn map(&mut self, writable: bool) -> Result<NonNull<u8>, AllocError> {
        self.parts.map(writable)
    }

    /// Undoes [`map`](Self::map), where that may be done; else, the next one does.
    pub(crate) fn unmap(&mut self) {
        if context::may_sleep() {
            self.parts.unmap();
        }
    }
}

impl<S: Tag<Family = Buddy>> Drop for PageArray<S> {
    fn drop(&mut self) {
        let allocated = self.pages().iter().filter(|page| !page.is_null()).count();
        (0..allocated).for_each(|_| site::count_free::<S>(PAGE_SIZE, PAGE_SIZE));
        // SAFETY: Not used any more.
        let parts = unsafe { ManuallyDrop::take(&mut self.parts) };
        parts.free();
    }
}

impl Parts {
    /// Returns a list of `len` slots for pages, with its spare room.
    fn empty_list(len: usize) -> Result<KVVec<*mut bindings::page>, AllocError> {
        // The bulk allocator fills the slots that are NULL, which is what dropping skips.
        // OVERFLOW: A number of pages is far from that.
        let mut list = KVVec::with_capacity(len + SPARE, GFP_KERNEL | __GFP_NOWARN)?;
        list.extend_with(len, ptr::null_mut(), GFP_KERNEL)?;
        Ok(list)
    }

    fn map(&mut self, writable: bool) -> Result<NonNull<u8>, AllocError> {
        // One that was forgotten, or left where it could not be undone.
        if let Some(mapped) = self.mapped.filter(|mapped| mapped.writable == writable) {
            return Ok(mapped.addr);
        }
        if context::is_atomic() {
            return Err(AllocError);
        }
        self.unmap();
        // CAST: `zeroed` limits the length.
        let count = self.list.len() as c_uint;
        let pages = self.list.as_mut_ptr();
        // SAFETY: The list begins with `count` pages, which are live.
        let addr = unsafe {
            if writable {
                bindings::kalloc_helper_vmap(pages, count)
            } else {
                bindings::kalloc_helper_vmap_ro(pages, count)
            }
        };
        let addr = NonNull::new(addr.cast()).ok_or(AllocError)?;
        // INVARIANT: All pages were mapped there.
        self.mapped = Some(Mapped { addr, writable });
        Ok(addr)
    }

    fn unmap(&mut self) {
        if let Some(mapped) = self.mapped.take() {
            // SAFETY: By the invariants.
            unsafe { bindings::vunmap(mapped.addr.as_ptr().cast()) };
        }
    }

    /// Frees all, here or by the worker: pages can be freed anywhere, but nothing unmapped.
    #[inline(never)]
    fn free(mut self) {
        if context::may_sleep() {
            return;
        }
        let list = self.list.as_mut_ptr();
        // SAFETY: Takes any address.
        let sleeps = self.mapped.is_some() || unsafe { bindings::is_vmalloc_addr(list.cast()) };
        if !sleeps && context::may_allocate() {
            return;
        }
        // SAFETY: By the invariants, there is room behind the pages.
        let waiting = unsafe { list.add(self.list.len()) }.cast::<Waiting>();
        // SAFETY: The room is large enough, aligned to a word, and used for nothing else. The list that
        // it is in goes with the parts, which are read from there first. What waits begins with its
        // entry, which is left alone until the worker calls `free_waiting` for it.
        unsafe {
            (&raw mut (*waiting).parts).write(self);
            deferred::push(NonNull::new_unchecked(waiting).cast(), free_waiting);
        }
    }
}

/// # Safety
///
/// `entry` must be that of a [`Waiting`].
unsafe fn free_waiting(entry: NonNull<deferred::Entry>) {
    // SAFETY: By the requirement of this function. Nobody else reads the parts, so they move here.
    drop(unsafe { (&raw const (*entry.cast::<Waiting>().as_ptr()).parts).read() });
}

impl Drop for Parts {
    fn drop(&mut self) {
        // A mapping must go before its pages.
        self.unmap();
        for &page in self.list.iter().filter(|page| !page.is_null()) {
            // SAFETY: By the invariants, a live page of ours, of order 0.
            unsafe { bindings::__free_pages(page, 0) };
        }
    }
}
