// SPDX-License-Identifier: GPL-2.0-only

//! Access to single pages in any zone, through mappings that are local to a thread.
//!
//! A page of high memory has no permanent address. `kmap_local_page()` maps it temporarily, for
//! this thread only, and such mappings must end in the reverse order. A mapping therefore never
//! leaves this file: callers get copies, so that they cannot forget, keep, send or reorder a
//! mapping. If all memory is in the direct map, as on 64-bit machines, nothing is mapped, and each
//! function is only a copy.
//!
//! C header: [`include/linux/highmem.h`](srctree/include/linux/highmem.h)

use crate::{
    page::{
        PageArray,
        PageSite, //
    },
    sys::bindings, //
};
use core::{
    marker::PhantomData,
    mem,
    ops::Range,
    ptr::NonNull,
    slice, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    uaccess::{
        UserSliceReader,
        UserSliceWriter, //
    }, //
};

/// A page, mapped for this thread by `kmap_local_page()`.
///
/// # Invariants
///
/// - `addr` is the address of this thread's mapping of the page.
/// - No older mapping of this thread ends before this one.
struct LocalPage {
    addr: NonNull<u8>,
    /// A marker that makes the type neither `Send` nor `Sync`.
    _thread: PhantomData<*mut u8>,
}

impl LocalPage {
    /// Maps a page for this thread.
    ///
    /// # Safety
    ///
    /// - `page` must be a live page until the mapping is dropped.
    /// - Mappings that are made later must be dropped earlier.
    unsafe fn new(page: *mut bindings::page) -> Self {
        // SAFETY: The caller guarantees that the page is live.
        let addr = unsafe { bindings::kmap_local_page(page) };
        // INVARIANT: The page was just mapped. The caller guarantees the order of the mappings.
        LocalPage {
            // SAFETY: Mapping a page for a thread does not fail.
            addr: unsafe { NonNull::new_unchecked(addr.cast()) },
            _thread: PhantomData,
        }
    }

    /// Returns the bytes of a part of the page.
    ///
    /// # Safety
    ///
    /// - The bytes must be initialized, and must not be written while they are borrowed.
    /// - `range` must be inside a page.
    unsafe fn bytes(&self, range: Range<usize>) -> &[u8] {
        // SAFETY: By the type invariants, the page is mapped at `addr`. The caller guarantees that
        // the range is in the page, initialized and not written.
        unsafe { slice::from_raw_parts(self.addr.as_ptr().add(range.start), range.len()) }
    }

    /// Returns the bytes of a part of the page, for writing.
    ///
    /// # Safety
    ///
    /// - The bytes must be initialized, and must not be accessed otherwise while they are borrowed.
    /// - `range` must be inside a page.
    unsafe fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        // SAFETY: By the type invariants, the page is mapped at `addr`. The caller guarantees that
        // the range is in the page, initialized and not accessed otherwise.
        unsafe { slice::from_raw_parts_mut(self.addr.as_ptr().add(range.start), range.len()) }
    }
}

impl Drop for LocalPage {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, this is the thread's newest mapping.
        unsafe { bindings::kunmap_local(self.addr.as_ptr().cast()) };
    }
}

/// All pages of an array are initialized. Nothing else reaches them while the array is borrowed
/// mutably, and nothing writes them while it is shared.
impl<S: PageSite> PageArray<S> {
    /// Copies the bytes from `offset` on into `to`. The pages form one sequence of bytes.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if the range ends beyond the array.
    pub fn read(&self, offset: usize, mut to: &mut [u8]) -> Result {
        for (page, range) in self.parts(offset, to.len())? {
            let (part, rest) = mem::take(&mut to).split_at_mut(range.len());
            // SAFETY: The array owns the page, and this is the only mapping.
            let local = unsafe { LocalPage::new(page) };
            // SAFETY: The page is initialized, and the borrow of the array excludes writes.
            part.copy_from_slice(unsafe { local.bytes(range) });
            to = rest;
        }
        Ok(())
    }

    /// Copies `from` to the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if the range ends beyond the array. Nothing is written in that case.
    pub fn write(&mut self, offset: usize, mut from: &[u8]) -> Result {
        for (page, range) in self.parts(offset, from.len())? {
            let (part, rest) = from.split_at(range.len());
            // SAFETY: The array owns the page, and this is the only mapping.
            let mut local = unsafe { LocalPage::new(page) };
            // SAFETY: The page is initialized, and the mutable borrow of the array excludes other
            // accesses.
            unsafe { local.bytes_mut(range) }.copy_from_slice(part);
            from = rest;
        }
        Ok(())
    }

    /// Copies `len` bytes from `offset` on to user space.
    ///
    /// # Context
    ///
    /// Process context; may sleep.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if the range ends beyond the array.
    /// - [`EFAULT`] if the user memory is not writable. A part of it may have been written.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::PageArray;
    /// use kernel::uaccess::{UserSliceReader, UserSliceWriter};
    ///
    /// kalloc::sites! {
    ///     Buffers: pages, "doc_write_to";
    /// }
    ///
    /// /// Copies bytes to a process, like a driver's `read`.
    /// fn give(buffer: &PageArray<Buffers>, pos: usize, writer: &mut UserSliceWriter) -> Result {
    ///     buffer.write_to(pos, writer.len(), writer)
    /// }
    ///
    /// /// Copies bytes from a process, like a driver's `write`.
    /// fn take(
    ///     buffer: &mut PageArray<Buffers>,
    ///     pos: usize,
    ///     reader: &mut UserSliceReader,
    /// ) -> Result {
    ///     buffer.read_from(pos, reader.len(), reader)
    /// }
    /// # use kernel::uaccess::{UserPtr, UserSlice};
    /// # let mut buffer = PageArray::zeroed(1, GFP_KERNEL)?;
    /// # give(&buffer, 0, &mut UserSlice::new(UserPtr::from_addr(0), 0).writer())?;
    /// # take(&mut buffer, 0, &mut UserSlice::new(UserPtr::from_addr(0), 0).reader())?;
    /// # assert_eq!(take(&mut buffer, 0, &mut UserSlice::new(UserPtr::from_addr(0), 4097).reader()), Err(EINVAL));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn write_to(&self, offset: usize, len: usize, to: &mut UserSliceWriter) -> Result {
        for (page, range) in self.parts(offset, len)? {
            // SAFETY: The array owns the page, and this is the only mapping in this function.
            let local = unsafe { LocalPage::new(page) };
            // SAFETY: The page is initialized, and the borrow of the array excludes writes.
            to.write_slice(unsafe { local.bytes(range) })?;
        }
        Ok(())
    }

    /// Copies `len` bytes from user space to the bytes from `offset` on.
    ///
    /// # Context
    ///
    /// Process context; may sleep.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if the range ends beyond the array.
    /// - [`EFAULT`] if the user memory is not readable. A part of it may have been copied.
    pub fn read_from(&mut self, offset: usize, len: usize, from: &mut UserSliceReader) -> Result {
        for (page, range) in self.parts(offset, len)? {
            // SAFETY: The array owns the page, and this is the only mapping in this function.
            let mut local = unsafe { LocalPage::new(page) };
            // SAFETY: The page is initialized, and the mutable borrow of the array excludes other
            // accesses.
            from.read_slice(unsafe { local.bytes_mut(range) })?;
        }
        Ok(())
    }

    /// Copies page `from` to page `to`.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if either index is beyond the array.
    pub fn copy_page(&mut self, from: usize, to: usize) -> Result {
        let [source, target] =
            [from, to].map(|index| self.pages().get(index).copied().ok_or(EINVAL));
        let (source, target) = (source?, target?);
        if from == to {
            return Ok(());
        }
        // Rust drops variables in the reverse order of their declaration.
        // SAFETY: The array owns the page. The mapping below is made later and dropped earlier.
        let source = unsafe { LocalPage::new(source) };
        // SAFETY: The array owns the page. It is mapped later and dropped earlier than `source`.
        let mut target = unsafe { LocalPage::new(target) };
        // SAFETY: The two pages differ and are initialized. The mutable borrow of the array
        // excludes other accesses.
        let (source, target) =
            unsafe { (source.bytes(0..PAGE_SIZE), target.bytes_mut(0..PAGE_SIZE)) };
        target.copy_from_slice(source);
        Ok(())
    }

    /// Returns the pages of the `len` bytes from `offset` on, with the range inside each page.
    fn parts(
        &self,
        offset: usize,
        len: usize,
    ) -> Result<impl Iterator<Item = (*mut bindings::page, Range<usize>)> + use<'_, S>> {
        let end = offset.checked_add(len).ok_or(EINVAL)?;
        if end > self.len() * PAGE_SIZE {
            return Err(EINVAL);
        }
        let pages = self.pages().iter().enumerate().skip(offset / PAGE_SIZE);
        Ok(pages.map_while(move |(index, &page)| {
            let start = index * PAGE_SIZE;
            let range = offset.max(start)..end.min(start + PAGE_SIZE);
            (!range.is_empty()).then(|| (page, range.start - start..range.end - start))
        }))
    }
}
