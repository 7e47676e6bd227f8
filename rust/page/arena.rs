// SPDX-License-Identifier: GPL-2.0-only

//! Regions of short-lived objects that are freed together.

use crate::{
    accounting::site,
    page::{
        exact,
        order::Order,
        page_array::reschedule,
        BlockKind,
        PageSite,
        Virt, //
    },
    sys::{
        context,
        deferred_free,
        gfp::Gfp,
        in_place, //
    }, //
};
use core::{
    alloc::Layout,
    cell::Cell,
    marker::PhantomData,
    mem::{
        self,
        MaybeUninit, //
    },
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    alloc::AllocError,
    page::PAGE_SIZE,
    prelude::*, //
};

/// A region for objects of any types that are freed together, in blocks of order `ORDER` counted at
/// site `S`.
///
/// An object is a reference that borrows the arena. Allocating takes the next bytes of a block, and
/// calls the page allocator only if the block is full. Nothing frees a single object:
/// [`reset`](Self::reset) frees all, and keeps one block for the next round. Types with a destructor
/// do not compile, because no destructor would run.
///
/// # When not to use it
///
/// - Objects with lifetimes of their own belong to a [`KBox`](crate::KBox) or a
///   [`KmemCache`](crate::KmemCache): an arena keeps the memory of all until it is reset.
/// - KASAN and KFENCE check blocks, not the objects in them.
/// - The site counts blocks, not objects.
///
/// # Examples
///
/// The words of a request, as a list that is discarded as a whole:
///
/// ```
/// use kalloc::{Arena, Tag};
///
/// kalloc::sites! {
///     Parsing: pages, "doc_arena";
/// }
///
/// struct Word<'a>(&'a [u8], Option<&'a Word<'a>>);
///
/// let mut arena = Arena::<Parsing>::new();
/// for request in ["read 4", "write 4 data"] {
///     let mut last = None;
///     for word in request.as_bytes().split(|&byte| byte == b' ') {
///         // The copy lives as long as the list.
///         let text = arena.alloc_slice_copy(word, GFP_KERNEL)?;
///         last = Some(&*arena.alloc(Word(text, last), GFP_KERNEL)?);
///     }
///     assert!(matches!(last, Some(Word(b"4" | b"data", Some(_)))));
///     arena.reset();
/// }
/// // The block that is kept.
/// assert_eq!(Parsing::site().totals().live(), 1);
/// drop(arena);
/// assert_eq!(Parsing::site().totals().live(), 0);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// - `chunk` is the first of a list of `chunks` live chunks that nothing else owns.
/// - `start` points behind the header of the first chunk, and `left` bytes from there are in this
///   chunk and not borrowed. Without a chunk, `left` is 0.
pub struct Arena<S: PageSite, const ORDER: u32 = 0> {
    start: Cell<NonNull<u8>>,
    left: Cell<usize>,
    chunk: Cell<Option<NonNull<Chunk>>>,
    chunks: Cell<usize>,
    _site: PhantomData<fn() -> S>,
}

/// The header of a chunk, a block of pages.
#[repr(C, align(16))]
struct Chunk {
    /// Used while the chunk waits to be freed.
    entry: MaybeUninit<deferred_free::Entry>,
    previous: Option<NonNull<Chunk>>,
    order: Order,
}

// SAFETY: No object is borrowed while the arena moves to another thread. No later access or
// destructor reaches the objects. Pages are not bound to a thread.
unsafe impl<S: PageSite, const ORDER: u32> Send for Arena<S, ORDER> {}

impl<S: PageSite, const ORDER: u32> Arena<S, ORDER> {
    /// The number of bytes in a block that are available for objects.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::Arena;
    ///
    /// kalloc::sites! {
    ///     Parsing: pages, "doc_arena_capacity";
    /// }
    ///
    /// assert!(Arena::<Parsing>::CAPACITY >= 4000);
    /// assert!(Arena::<Parsing, 2>::CAPACITY >= 16300);
    /// ```
    pub const CAPACITY: usize = Order::of::<ORDER>().bytes() - size_of::<Chunk>();

    /// Creates an arena without a block.
    pub const fn new() -> Self {
        // INVARIANT: There are no chunks.
        Arena {
            start: Cell::new(NonNull::dangling()),
            left: Cell::new(0),
            chunk: Cell::new(None),
            chunks: Cell::new(0),
            _site: PhantomData,
        }
    }

    /// Moves `value` into the arena.
    ///
    /// The value is on the stack before. A value of more than 2 KiB does not compile;
    /// [`alloc_uninit`](Self::alloc_uninit) takes any that fits into a block. Neither does a type
    /// with a destructor.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the block is full and there are no pages for another one.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "each call returns other bytes")]
    pub fn alloc<T>(&self, value: T, gfp: impl Into<Gfp>) -> Result<&mut T, AllocError> {
        const { in_place::assert_movable::<T>() };
        Ok(self.alloc_uninit(gfp)?.write(value))
    }

    /// Allocates room for a `T`, which the caller writes.
    ///
    /// A type with a destructor, or one that is larger than [`CAPACITY`](Self::CAPACITY), does not
    /// compile.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the block is full and there are no pages for another one.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::Arena;
    ///
    /// kalloc::sites! {
    ///     Parsing: pages, "doc_arena_uninit";
    /// }
    ///
    /// let arena = Arena::<Parsing>::new();
    /// let squares = arena.alloc_uninit::<[u64; 32]>(GFP_KERNEL)?;
    /// let squares = squares.write(core::array::from_fn(|i| (i * i) as u64));
    /// assert_eq!(squares[31], 961);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "each call returns other bytes")]
    pub fn alloc_uninit<T>(&self, gfp: impl Into<Gfp>) -> Result<&mut MaybeUninit<T>, AllocError> {
        const {
            assert!(
                !mem::needs_drop::<T>(),
                "an arena calls no destructor of its objects"
            );
            assert!(
                Self::holds(Layout::new::<T>()),
                "the object is larger than a block of the arena"
            );
        }
        let place = self.place(Layout::new::<T>(), gfp)?.cast();
        // SAFETY: The bytes are in a live chunk, aligned for a `T`, and borrowed by nothing else.
        // They live as long as the arena is borrowed: `reset` and the drop need it exclusively.
        Ok(unsafe { &mut *place.as_ptr() })
    }

    /// Copies a slice into the arena.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] in these cases:
    ///
    /// - The slice is larger than [`CAPACITY`](Self::CAPACITY).
    /// - The block is full, and there are no pages for another one.
    #[inline]
    #[allow(clippy::mut_from_ref, reason = "each call returns other bytes")]
    pub fn alloc_slice_copy<T: Copy>(
        &self,
        from: &[T],
        gfp: impl Into<Gfp>,
    ) -> Result<&mut [T], AllocError> {
        let place = self.place(Layout::for_value(from), gfp)?.cast::<T>();
        // SAFETY: The bytes are in a live chunk, aligned for a `T`, and borrowed by nothing else, so
        // that they do not overlap with `from`. They are as many as `from` has. They live as long as
        // the arena is borrowed.
        unsafe {
            ptr::copy_nonoverlapping(from.as_ptr(), place.as_ptr(), from.len());
            Ok(core::slice::from_raw_parts_mut(place.as_ptr(), from.len()))
        }
    }

    /// Frees all objects, and all blocks but one.
    ///
    /// # Context
    ///
    /// Any but NMI. In atomic context it takes constant time, because a worker frees the blocks.
    pub fn reset(&mut self) {
        let Some(kept) = self.chunk.get() else { return };
        // SAFETY: By the type invariants, the chunk is live.
        let others = unsafe { (*kept.as_ptr()).previous.take() };
        let number = self.chunks.replace(1) - 1;
        self.start_with(kept);
        if let Some(first) = others {
            // SAFETY: The list had `number` chunks more, which are no longer in it.
            unsafe { Self::free(first, number) };
        }
    }

    /// Returns whether a block has room for an object.
    const fn holds(layout: Layout) -> bool {
        // An object with an alignment above the header's may be behind a gap of as many bytes.
        let gap = if layout.align() > align_of::<Chunk>() {
            layout.align()
        } else {
            0
        };
        layout.align() <= PAGE_SIZE && layout.size() <= Self::CAPACITY.saturating_sub(gap)
    }

    /// Returns the address of room for an object.
    #[inline(always)]
    fn place(&self, layout: Layout, gfp: impl Into<Gfp>) -> Result<NonNull<u8>, AllocError> {
        if layout.size() == 0 {
            // An object without bytes needs no chunk.
            let address = ptr::without_provenance_mut(layout.align());
            return NonNull::new(address).ok_or(AllocError);
        }
        // SAFETY: The size is not 0.
        match unsafe { self.take(layout) } {
            Some(place) => Ok(place),
            // SAFETY: The size is not 0.
            None => unsafe { self.grow(layout, gfp.into()) },
        }
    }

    /// Takes the last of the free bytes of the chunk, if there are enough.
    ///
    /// # Safety
    ///
    /// The size of `layout` must not be 0.
    #[inline(always)]
    unsafe fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        let left = self.left.get().checked_sub(layout.size())?;
        let start = self.start.get();
        let left = if layout.align() <= align_of::<Chunk>() {
            // `start` is aligned as the header.
            left & !(layout.align() - 1)
        } else {
            let start = start.addr().get();
            ((start + left) & !(layout.align() - 1)).checked_sub(start)?
        };
        // INVARIANT: There are fewer bytes left than before. Those behind them are the caller's.
        self.left.set(left);
        // SAFETY: By the type invariants, the bytes that were left are in a chunk, which `start`
        // points into: at least one, since no object of size 0 is taken.
        Some(unsafe { start.add(left) })
    }

    /// Adds a chunk, and takes the room for an object from it.
    ///
    /// # Safety
    ///
    /// The size of `layout` must not be 0.
    #[cold]
    #[inline(never)]
    unsafe fn grow(&self, layout: Layout, gfp: Gfp) -> Result<NonNull<u8>, AllocError> {
        let order = const { Order::of::<ORDER>() };
        if !Self::holds(layout) {
            site::count_failure::<S>(gfp, true);
            return Err(AllocError);
        }
        // SAFETY: This crate calls it, and counts the block below.
        let Some(block) = (unsafe { Virt::alloc(order, gfp) }) else {
            site::count_failure::<S>(gfp, false);
            return Err(AllocError);
        };
        site::count_alloc::<S>(order.bytes(), order.bytes());
        let chunk = block.address().cast::<Chunk>();
        // SAFETY: The block is new, aligned to a page, and larger than a header.
        unsafe {
            chunk.write(Chunk {
                entry: MaybeUninit::uninit(),
                previous: self.chunk.get(),
                order,
            });
        }
        // INVARIANT: The list has one chunk more.
        self.chunk.set(Some(chunk));
        self.chunks.set(self.chunks.get() + 1);
        self.start_with(chunk);
        // SAFETY: The requirement of this function is the same.
        unsafe { self.take(layout) }.ok_or(AllocError)
    }

    /// Makes all bytes of a chunk available: the first of the list, of which nothing is borrowed.
    fn start_with(&self, chunk: NonNull<Chunk>) {
        // INVARIANT: The rest of the chunk has CAPACITY bytes.
        // SAFETY: A chunk is larger than its header.
        self.start.set(unsafe { chunk.add(1) }.cast());
        self.left.set(Self::CAPACITY);
    }

    /// Counts and frees chunks.
    ///
    /// # Safety
    ///
    /// - `first` must be the first of a list of `number` live chunks.
    /// - Nothing may use them afterwards.
    unsafe fn free(first: NonNull<Chunk>, number: usize) {
        let order = const { Order::of::<ORDER>() };
        site::count_frees::<S>(number, order.bytes());
        // SAFETY: The requirements of this function are the same.
        unsafe { free_chunks(first, number * order.pages()) };
    }
}

impl<S: PageSite, const ORDER: u32> Default for Arena<S, ORDER> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: PageSite, const ORDER: u32> Drop for Arena<S, ORDER> {
    #[inline]
    fn drop(&mut self) {
        if let Some(first) = self.chunk.get() {
            // SAFETY: By the type invariants, the list has so many live chunks. No object is
            // borrowed, and the arena is not used afterwards.
            unsafe { Self::free(first, self.chunks.get()) };
        }
    }
}

/// Frees chunks with `pages` pages in all, immediately or by the worker.
///
/// # Context
///
/// Any but NMI.
///
/// # Safety
///
/// - `first` must be the first of a list of live chunks.
/// - Nothing may use them afterwards.
#[inline(never)]
unsafe fn free_chunks(first: NonNull<Chunk>, pages: usize) {
    let sleeps = context::known_sleepable();
    if sleeps || exact::may_be_freed(pages) {
        // SAFETY: The requirements of this function are the same.
        return unsafe { free_list(first, sleeps) };
    }
    // SAFETY: A chunk begins with its entry, which nothing else uses until the worker calls
    // `free_waiting` for it.
    unsafe { deferred_free::push(first.cast(), free_waiting) };
}

/// Frees the list of chunks that begins with an entry.
///
/// # Safety
///
/// - `entry` must be that of a chunk that `free_chunks` has pushed.
/// - The caller may sleep.
unsafe fn free_waiting(entry: NonNull<deferred_free::Entry>) {
    // SAFETY: `free_chunks` has pushed the first chunk of a list, which nothing uses.
    unsafe { free_list(entry.cast(), true) };
}

/// Frees a list of chunks, and reschedules between them if `sleeps`.
///
/// # Safety
///
/// - If `sleeps` is true, the caller must be allowed to sleep.
/// - `first` must be the first of a list of live chunks.
/// - Nothing may use them afterwards.
unsafe fn free_list(first: NonNull<Chunk>, sleeps: bool) {
    let mut next = Some(first);
    while let Some(chunk) = next {
        // SAFETY: The chunk is live, and its header is initialized but for the entry. It is a block
        // of that order, which begins with the header.
        unsafe {
            next = (*chunk.as_ptr()).previous;
            let order = (*chunk.as_ptr()).order;
            Virt::at(chunk.cast()).free(order);
        }
        if sleeps && next.is_some() {
            reschedule();
        }
    }
}
