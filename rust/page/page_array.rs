// SPDX-License-Identifier: GPL-2.0-only

//! Arrays of order-0 pages, allocated in bulk.

use crate::{
    accounting::site,
    page::{
        exact,
        zone::Zone, //
        PageSite,
    },
    sys::{
        bindings,
        context,
        deferred_free,
        gfp::Gfp, //
    }, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    alloc::AllocError,
    ffi::{
        c_uint,
        c_ulong, //
    },
    page::PAGE_SIZE,
    prelude::*, //
};

/// Single pages, initially zeroed, anywhere in memory, counted at site `S`.
///
/// With `__GFP_HIGHMEM`, the pages may be outside the direct map. They are accessed one by one
/// ([`read`](Self::read), [`write`](Self::write) and others), or all together through a
/// [`Mapping`](crate::Mapping). The flags also apply to the list of the pages, which is not
/// counted, and to their mapping.
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
/// // The third page is now a copy of the first.
/// buffer.copy_page(0, 2)?;
/// buffer.read(3 * PAGE_SIZE - 2, &mut word[..2])?;
/// assert_eq!(&word, b"across");
///
/// // Every page has a frame, a zone and a node.
/// assert_ne!(buffer.pfn(0), buffer.pfn(1));
/// assert!(buffer.zone(2).is_some() && buffer.node(2).is_some() && buffer.pfn(3).is_none());
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// All pages are initialized.
pub struct PageArray<S: PageSite> {
    parts: ManuallyDrop<Parts>,
    _site: PhantomData<fn() -> S>,
}

/// The parts of an array, independent of its site.
///
/// # Invariants
///
/// `mapped`, if it is `Some`, is a mapping by `vmap()` of all pages of the list.
struct Parts {
    list: List,
    mapped: Option<Mapped>,
    /// The flags of the caller.
    gfp: Gfp,
}

/// A list of pages (`struct page **` in C), in memory from kmalloc or vmalloc.
///
/// # Invariants
///
/// - `ptr` is a live kvmalloc block that nothing else owns.
/// - The block begins with `len` live pages of order 0 that nothing else owns. Behind them is room
///   for [`SPARE`] words.
struct List {
    ptr: NonNull<*mut bindings::page>,
    len: usize,
}

/// A mapping of pages.
#[derive(Clone, Copy)]
struct Mapped {
    addr: NonNull<u8>,
    writable: bool,
}

/// The parts of an array that wait to be freed, stored in the spare room of their own list.
#[repr(C)]
struct Waiting {
    entry: deferred_free::Entry,
    parts: Parts,
}

/// The room in the list for [`Waiting`], so that a deferred free needs no allocation.
const SPARE: usize = size_of::<Waiting>().div_ceil(size_of::<*mut bindings::page>());

// SAFETY: Pages are not bound to a thread.
unsafe impl<S: PageSite> Send for PageArray<S> {}
// SAFETY: Pages are not bound to a thread, and a shared reference only reads their contents.
unsafe impl<S: PageSite> Sync for PageArray<S> {}

impl<S: PageSite> PageArray<S> {
    /// Allocates `len` zeroed pages, all or none.
    ///
    /// Does not invoke the OOM killer. The flags apply to the list of the pages, too: with `NOIO`,
    /// allocating it starts no I/O, and with `ACCOUNT` it is charged.
    ///
    /// # Context
    ///
    /// May sleep. Dropping is possible in any context but NMI. In atomic context it takes constant
    /// time, because a worker frees the pages.
    ///
    /// # Errors
    ///
    /// [`AllocError`] in these cases:
    ///
    /// - There are too few free pages.
    /// - `len` is 0 or above the machine's number of pages.
    /// - The caller is known to be in atomic context.
    pub fn zeroed(len: usize, gfp: impl Into<Gfp>) -> Result<Self, AllocError> {
        // SAFETY: The helper only reads a counter.
        let all = unsafe { bindings::kalloc_helper_totalram_pages() };
        let wanted = gfp.into();
        let gfp = (wanted | Gfp::ZERO).without_oom_killer().with_one_zone();
        let failed = |invalid| {
            site::count_failure::<S>(gfp, invalid);
            AllocError
        };
        // The C function that maps the pages takes an `int` count.
        if len == 0 || len > all || len > i32::MAX as usize || context::known_atomic() {
            return Err(failed(true));
        }
        let list = List::with_room(len, gfp.nested()).map_err(|_| failed(false))?;
        // INVARIANT: The array has no pages yet.
        let mut this = PageArray {
            parts: ManuallyDrop::new(Parts {
                list,
                mapped: None,
                gfp: wanted,
            }),
            _site: PhantomData,
        };
        while this.len() < len {
            let list = &mut this.parts.list;
            // SAFETY: The list has room for `len` pages.
            let added = unsafe { list.extend((len - list.len).min(BULK), gfp) };
            if added == 0 {
                return Err(failed(false));
            }
            site::count_allocs::<S>(added, PAGE_SIZE);
            if gfp.may_sleep() {
                reschedule();
            }
        }
        Ok(this)
    }

    /// Returns the number of pages.
    pub fn len(&self) -> usize {
        self.pages().len()
    }

    /// Returns whether there are no pages: never true for an allocated array.
    pub fn is_empty(&self) -> bool {
        self.pages().is_empty()
    }

    /// Returns the page frame number of page `index`.
    pub fn pfn(&self, index: usize) -> Option<usize> {
        let &page = self.pages().get(index)?;
        // SAFETY: By the type invariants, the page is live.
        Some(unsafe { bindings::kalloc_helper_page_to_pfn(page) } as usize)
    }

    /// Returns the zone that page `index` is in.
    pub fn zone(&self, index: usize) -> Option<Zone> {
        let &page = self.pages().get(index)?;
        // SAFETY: By the type invariants, the page is live.
        Some(unsafe { Zone::of(page) })
    }

    /// Returns the ID of the NUMA node that page `index` is on.
    pub fn node(&self, index: usize) -> Option<i32> {
        let &page = self.pages().get(index)?;
        // SAFETY: By the type invariants, the page is live.
        Some(unsafe { bindings::page_to_nid(page) })
    }

    /// Returns the pages.
    pub(super) fn pages(&self) -> &[*mut bindings::page] {
        self.parts.list.pages()
    }

    /// Maps all pages in order, and returns the address.
    pub(crate) fn map(&mut self, writable: bool) -> Result<NonNull<u8>, AllocError> {
        self.parts.map(writable)
    }

    /// Undoes [`map`](Self::map), if the caller may sleep. Otherwise the next call of `map` or the
    /// drop does.
    pub(crate) fn unmap(&mut self) {
        if context::known_sleepable() {
            self.parts.unmap();
        }
    }
}

impl<S: PageSite> Drop for PageArray<S> {
    fn drop(&mut self) {
        site::count_frees::<S>(self.len(), PAGE_SIZE);
        // SAFETY: `parts` is not used afterwards.
        let parts = unsafe { ManuallyDrop::take(&mut self.parts) };
        parts.free();
    }
}

/// The maximum number of pages that are allocated or freed without rescheduling. C allocates a bulk
/// with preemption disabled; vmalloc uses the same number.
const BULK: usize = 100;

/// Lets another thread run. The caller must be allowed to sleep.
pub(super) fn reschedule() {
    // SAFETY: The callers may sleep.
    unsafe { bindings::kalloc_helper_cond_resched() };
}

impl List {
    /// Allocates a list with room for `len` pages.
    fn with_room(len: usize, gfp: Gfp) -> Result<Self, AllocError> {
        // OVERFLOW: `len` is a number of pages, which is far below the limit of a `usize`.
        let size = (len + SPARE) * size_of::<*mut bindings::page>();
        let gfp = (gfp | Gfp::ZERO).as_raw();
        // kvmalloc() would first try hard to get contiguous pages, with flags that avoid the OOM
        // killer.
        // SAFETY: For kmalloc, the size is neither 0 nor above its limit, and any node is allowed.
        // vmalloc takes any size but 0, and only warns about sizes above the machine's memory.
        let ptr = unsafe {
            if size <= PAGE_SIZE {
                bindings::kalloc_helper_kmalloc_node(size, gfp, bindings::NUMA_NO_NODE, 0)
            } else {
                bindings::kalloc_helper_vmalloc(size, gfp)
            }
        };
        // INVARIANT: A block from kmalloc or vmalloc is valid as one from kvmalloc. There are no
        // pages yet.
        Ok(List {
            ptr: NonNull::new(ptr.cast()).ok_or(AllocError)?,
            len: 0,
        })
    }

    /// Allocates up to `count` more pages, as many as the page allocator has at once. Returns their
    /// number, or 0 if there is none.
    ///
    /// # Safety
    ///
    /// The list must have room for `count` more pages and `SPARE` words.
    unsafe fn extend(&mut self, count: usize, gfp: Gfp) -> usize {
        // SAFETY: The caller guarantees the room. The slots are NULL since their allocation, so
        // that they are filled from the first one on.
        let added = unsafe {
            let slots = self.ptr.as_ptr().add(self.len);
            let filled =
                bindings::kalloc_helper_alloc_pages_bulk(gfp.as_raw(), count as c_ulong, slots);
            if filled == 0 {
                // The bulk allocator may stop for a reason that does not concern single pages.
                // Order 0 is valid.
                *slots = bindings::alloc_pages(gfp.as_raw(), 0);
                usize::from(!(*slots).is_null())
            } else {
                filled as usize
            }
        };
        // INVARIANT: `added` slots were filled with new pages.
        self.len += added;
        added
    }

    /// Returns the pages.
    fn pages(&self) -> &[*mut bindings::page] {
        // SAFETY: By the type invariants, the block begins with `len` pages.
        unsafe { core::slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl Parts {
    fn map(&mut self, writable: bool) -> Result<NonNull<u8>, AllocError> {
        // A mapping that was forgotten, or that could not be undone in atomic context.
        if let Some(mapped) = self.mapped.filter(|mapped| mapped.writable == writable) {
            return Ok(mapped.addr);
        }
        if context::known_atomic() {
            return Err(AllocError);
        }
        self.unmap();
        // CAST: `zeroed` limits the length to `i32::MAX`.
        let (pages, count) = (self.list.ptr.as_ptr(), self.list.len as c_uint);
        // SAFETY: The list begins with `count` live pages.
        let addr =
            unsafe { bindings::kalloc_helper_vmap(pages, count, writable, self.gfp.as_raw()) };
        let addr = NonNull::new(addr.cast()).ok_or(AllocError)?;
        // INVARIANT: All pages were mapped at this address.
        self.mapped = Some(Mapped { addr, writable });
        Ok(addr)
    }

    fn unmap(&mut self) {
        if let Some(mapped) = self.mapped.take() {
            // SAFETY: By the type invariants, the address is that of a mapping by `vmap()`, which
            // is used no more.
            unsafe { bindings::vunmap(mapped.addr.as_ptr().cast()) };
        }
    }

    /// Frees all parts, immediately or by the worker.
    #[inline(never)]
    fn free(self) {
        if context::known_sleepable() {
            // SAFETY: This context may sleep.
            return unsafe { self.free_now(true) };
        }
        if self.mapped.is_none() && exact::may_be_freed(self.list.len) {
            // SAFETY: There is no mapping, and kmalloc serves a list of so few pages.
            return unsafe { self.free_now(false) };
        }
        let list = self.list.ptr;
        // SAFETY: By the type invariants, there is room behind the pages.
        let waiting = unsafe { list.add(self.list.len) }.cast::<Waiting>();
        // SAFETY: The room is large enough, aligned to a word, and used for nothing else. The list
        // that contains it is freed with the parts, which are read from there first. `Waiting`
        // begins with its entry, which stays untouched until the worker calls `free_waiting` for
        // it.
        unsafe {
            (&raw mut (*waiting.as_ptr()).parts).write(self);
            deferred_free::push(waiting.cast(), free_waiting);
        }
    }

    /// Frees all parts, and reschedules in between if `sleeps`.
    ///
    /// # Safety
    ///
    /// If `sleeps` is true, or there is a mapping, or the list is vmalloc's, the caller must be
    /// allowed to sleep.
    unsafe fn free_now(mut self, sleeps: bool) {
        // The mapping must be removed before its pages are freed.
        self.unmap();
        for pages in self.list.pages().chunks(BULK) {
            for &page in pages {
                // SAFETY: By the type invariants, this is a live page of order 0 that the list
                // owns.
                unsafe { bindings::__free_pages(page, 0) };
            }
            if sleeps {
                reschedule();
            }
        }
        // SAFETY: By the type invariants, this is a live kvmalloc block that the list owns. If it
        // is vmalloc's, the caller may sleep.
        unsafe { bindings::kvfree(self.list.ptr.as_ptr().cast()) };
    }
}

/// Frees the parts that an entry describes.
///
/// # Safety
///
/// - `entry` must be that of a [`Waiting`] that `Parts::free` has pushed.
/// - The caller may sleep.
unsafe fn free_waiting(entry: NonNull<deferred_free::Entry>) {
    // SAFETY: `Parts::free` has stored the parts there. Nothing else reads them, so that they move
    // here.
    let parts = unsafe { (&raw const (*entry.cast::<Waiting>().as_ptr()).parts).read() };
    // SAFETY: The caller may sleep.
    unsafe { parts.free_now(true) };
}
