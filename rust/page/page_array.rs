// SPDX-License-Identifier: GPL-2.0

//! Single pages by the dozen.

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

/// Single pages, zeroed at first, anywhere in memory, counted at site `S`.
///
/// With `__GFP_HIGHMEM` they may be where the kernel has no address for them. They are reached one by
/// one ([`read`](Self::read), [`write`](Self::write) and others), or all together through a
/// [`Mapping`](crate::Mapping). The flags are also those of what the pages need beside them: their list,
/// which is not counted, and their mapping.
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
pub struct PageArray<S: PageSite> {
    parts: ManuallyDrop<Parts>,
    _site: PhantomData<fn() -> S>,
}

/// What an array is made of, whatever its site.
///
/// # Invariants
///
/// `mapped`, if there is one, is a mapping by `vmap()` of all pages of the list.
struct Parts {
    list: List,
    mapped: Option<Mapped>,
    /// The flags of the caller.
    gfp: Gfp,
}

/// A list of pages, in memory of kmalloc or vmalloc.
///
/// # Invariants
///
/// - `ptr` is a live kvmalloc block, and nothing else owns it.
/// - It begins with `len` live pages of order 0 that nothing else owns, with room for [`SPARE`] words behind
///   them.
struct List {
    ptr: NonNull<*mut bindings::page>,
    len: usize,
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
    entry: deferred_free::Entry,
    parts: Parts,
}

/// What [`Waiting`] takes in the list, so that it needs no memory when it is needed.
const SPARE: usize = size_of::<Waiting>().div_ceil(size_of::<*mut bindings::page>());

// SAFETY: Pages belong to no thread.
unsafe impl<S: PageSite> Send for PageArray<S> {}
// SAFETY: As above; a shared reference only reads what they contain.
unsafe impl<S: PageSite> Sync for PageArray<S> {}

impl<S: PageSite> PageArray<S> {
    /// Allocates `len` zeroed pages, all or none.
    ///
    /// Does not invoke the OOM killer. The flags hold for the list of the pages, too: with `NOIO` it starts
    /// no I/O, with `ACCOUNT` it is charged.
    ///
    /// # Context
    ///
    /// May sleep. Dropping may happen anywhere but in NMI, and takes as long for any number of pages where the
    /// caller may not sleep: a worker frees them.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there are not as many pages, or `len` is 0 or more than the machine has, or
    /// where sleeping is known not to be allowed.
    pub fn zeroed(len: usize, gfp: impl Into<Gfp>) -> Result<Self, AllocError> {
        // SAFETY: Reads a counter.
        let all = unsafe { bindings::kalloc_helper_totalram_pages() };
        let wanted = gfp.into();
        let gfp = (wanted | Gfp::ZERO).without_oom_killer().with_one_zone();
        let failed = |invalid| {
            site::count_failure::<S>(gfp, invalid);
            AllocError
        };
        // One mapping takes as many as C can count.
        if len == 0 || len > all || len > i32::MAX as usize || context::known_atomic() {
            return Err(failed(true));
        }
        let list = List::with_room(len, gfp.nested()).map_err(|_| failed(false))?;
        // INVARIANT: No pages yet.
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
            // SAFETY: There is room for `len` pages.
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
        self.parts.list.pages()
    }

    /// Maps all pages in their order, and returns where.
    pub(crate) fn map(&mut self, writable: bool) -> Result<NonNull<u8>, AllocError> {
        self.parts.map(writable)
    }

    /// Undoes [`map`](Self::map), where that may be done; else, the next one does.
    pub(crate) fn unmap(&mut self) {
        if context::known_sleepable() {
            self.parts.unmap();
        }
    }
}

impl<S: PageSite> Drop for PageArray<S> {
    fn drop(&mut self) {
        site::count_frees::<S>(self.len(), PAGE_SIZE);
        // SAFETY: Not used any more.
        let parts = unsafe { ManuallyDrop::take(&mut self.parts) };
        parts.free();
    }
}

/// The most pages that are allocated or freed without a chance for another thread to run. C allocates as many
/// at once with preemption disabled, as vmalloc has it do.
const BULK: usize = 100;

/// Lets another thread run, where the caller may sleep.
fn reschedule() {
    // SAFETY: The caller may sleep.
    unsafe { bindings::kalloc_helper_cond_resched() };
}

impl List {
    /// Allocates a list with room for `len` pages.
    fn with_room(len: usize, gfp: Gfp) -> Result<Self, AllocError> {
        // OVERFLOW: A number of pages is far from that.
        let size = (len + SPARE) * size_of::<*mut bindings::page>();
        let gfp = (gfp | Gfp::ZERO).as_raw();
        // kvmalloc() would make an effort for contiguous pages first, with flags that avoid the OOM killer.
        // SAFETY: The size is neither 0 nor above what kmalloc has, and the node is any; vmalloc takes any
        // size that is not 0, and warns of none below that of the machine's memory.
        let ptr = unsafe {
            if size <= PAGE_SIZE {
                bindings::kalloc_helper_kmalloc_node(size, gfp, bindings::NUMA_NO_NODE, 0)
            } else {
                bindings::kalloc_helper_vmalloc(size, gfp)
            }
        };
        // INVARIANT: What kmalloc and vmalloc return is kvmalloc's as well. There are no pages yet.
        Ok(List {
            ptr: NonNull::new(ptr.cast()).ok_or(AllocError)?,
            len: 0,
        })
    }

    /// Allocates up to `count` pages more, as many as there are at once, and returns how many: 0 if there is
    /// none.
    ///
    /// # Safety
    ///
    /// There must be room for `count` more, and `SPARE` words.
    unsafe fn extend(&mut self, count: usize, gfp: Gfp) -> usize {
        // SAFETY: By the requirement of this function. The slots are NULL, as they were allocated, and so
        // are filled from the first one on.
        let added = unsafe {
            let slots = self.ptr.as_ptr().add(self.len);
            let filled =
                bindings::kalloc_helper_alloc_pages_bulk(gfp.as_raw(), count as c_ulong, slots);
            if filled == 0 {
                // It may stop for a reason that does not concern single pages. Order 0 is valid.
                *slots = bindings::alloc_pages(gfp.as_raw(), 0);
                usize::from(!(*slots).is_null())
            } else {
                filled as usize
            }
        };
        // INVARIANT: So many slots were filled with new pages.
        self.len += added;
        added
    }

    /// The pages.
    fn pages(&self) -> &[*mut bindings::page] {
        // SAFETY: By the invariants, the block begins with so many pages.
        unsafe { core::slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl Parts {
    fn map(&mut self, writable: bool) -> Result<NonNull<u8>, AllocError> {
        // One that was forgotten, or left where it could not be undone.
        if let Some(mapped) = self.mapped.filter(|mapped| mapped.writable == writable) {
            return Ok(mapped.addr);
        }
        if context::known_atomic() {
            return Err(AllocError);
        }
        self.unmap();
        // CAST: `zeroed` limits the length.
        let (pages, count) = (self.list.ptr.as_ptr(), self.list.len as c_uint);
        // SAFETY: The list begins with `count` pages, which are live.
        let addr =
            unsafe { bindings::kalloc_helper_vmap(pages, count, writable, self.gfp.as_raw()) };
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

    /// Frees all, here or by the worker.
    #[inline(never)]
    fn free(self) {
        if context::known_sleepable() {
            // SAFETY: This context may sleep.
            return unsafe { self.free_now(true) };
        }
        if self.mapped.is_none() && exact::may_be_freed(self.list.len) {
            // SAFETY: There is no mapping; a list of so few pages is kmalloc's.
            return unsafe { self.free_now(false) };
        }
        let list = self.list.ptr;
        // SAFETY: By the invariants, there is room behind the pages.
        let waiting = unsafe { list.add(self.list.len) }.cast::<Waiting>();
        // SAFETY: The room is large enough, aligned to a word, and used for nothing else. The list that
        // it is in goes with the parts, which are read from there first. What waits begins with its
        // entry, which is left alone until the worker calls `free_waiting` for it.
        unsafe {
            (&raw mut (*waiting.as_ptr()).parts).write(self);
            deferred_free::push(waiting.cast(), free_waiting);
        }
    }

    /// Frees all.
    ///
    /// # Safety
    ///
    /// If `sleeps`, or there is a mapping, or a list of vmalloc's, the caller may sleep.
    unsafe fn free_now(mut self, sleeps: bool) {
        // A mapping must go before its pages.
        self.unmap();
        for pages in self.list.pages().chunks(BULK) {
            for &page in pages {
                // SAFETY: By the invariants, a live page of ours, of order 0.
                unsafe { bindings::__free_pages(page, 0) };
            }
            if sleeps {
                reschedule();
            }
        }
        // SAFETY: By the invariants, a live kvmalloc block of ours. If it is vmalloc's, this may sleep, by
        // the requirement of this function.
        unsafe { bindings::kvfree(self.list.ptr.as_ptr().cast()) };
    }
}

/// # Safety
///
/// - `entry` must be that of a [`Waiting`] which `Parts::free` has pushed.
/// - The caller may sleep.
unsafe fn free_waiting(entry: NonNull<deferred_free::Entry>) {
    // SAFETY: `Parts::free` has put the parts there. Nobody else reads them, so they move here.
    let parts = unsafe { (&raw const (*entry.cast::<Waiting>().as_ptr()).parts).read() };
    // SAFETY: The caller may sleep.
    unsafe { parts.free_now(true) };
}
