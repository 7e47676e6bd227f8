// SPDX-License-Identifier: GPL-2.0

//! Access to single pages wherever they are, through mappings for this thread alone.
//!
//! A page of high memory has no address; it gets one for a moment, on this thread only, and such
//! mappings end in the reverse order. So none of them leaves this file: what callers have is copies,
//! and a mapping cannot be forgotten, kept, sent to another thread, or ended out of order. Where all
//! memory is in the direct mapping, as on 64-bit machines, nothing is mapped, and this is a copy.
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

/// A page, mapped for this thread.
///
/// # Invariants
///
/// `addr` is where the page is mapped for this thread, and of all such mappings none that is older
/// ends before this one.
struct LocalPage {
    addr: NonNull<u8>,
    /// Neither `Send` nor `Sync`.
    _thread: PhantomData<*mut u8>,
}

impl LocalPage {
    /// # Safety
    ///
    /// - `page` must be a live page until this is dropped.
    /// - What is mapped later must be dropped earlier.
    unsafe fn new(page: *mut bindings::page) -> Self {
        // SAFETY: By the requirement of this function.
        let addr = unsafe { bindings::kmap_local_page(page) };
        // INVARIANT: By the requirements of this function.
        LocalPage {
            // SAFETY: Mapping a page for a thread does not fail.
            addr: unsafe { NonNull::new_unchecked(addr.cast()) },
            _thread: PhantomData,
        }
    }

    /// The bytes of a part of the page.
    ///
    /// # Safety
    ///
    /// They must be initialised and not be written. `range` must be in a page.
    unsafe fn bytes(&self, range: Range<usize>) -> &[u8] {
        // SAFETY: By the requirements of this function, and the invariants.
        unsafe { slice::from_raw_parts(self.addr.as_ptr().add(range.start), range.len()) }
    }

    /// The bytes of a part of the page.
    ///
    /// # Safety
    ///
    /// They must be initialised and not be accessed otherwise. `range` must be in a page.
    unsafe fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        // SAFETY: By the requirements of this function, and the invariants.
        unsafe { slice::from_raw_parts_mut(self.addr.as_ptr().add(range.start), range.len()) }
    }
}

impl Drop for LocalPage {
    fn drop(&mut self) {
        // SAFETY: By the invariants, the thread's newest mapping.
        unsafe { bindings::kunmap_local(self.addr.as_ptr().cast()) };
    }
}

/// All pages of an array are initialised. They are reached through nothing else while the array is
/// borrowed mutably, and not written while it is shared.
impl<S: PageSite> PageArray<S> {
    /// Copies the bytes from `offset` on into `to`. The pages are one sequence of bytes here.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if that is beyond the array's end.
    pub fn read(&self, offset: usize, mut to: &mut [u8]) -> Result {
        for (page, range) in self.parts(offset, to.len())? {
            let (part, rest) = mem::take(&mut to).split_at_mut(range.len());
            // SAFETY: A page of ours, and the only one that is mapped.
            let local = unsafe { LocalPage::new(page) };
            // SAFETY: Initialised, and the array is borrowed.
            part.copy_from_slice(unsafe { local.bytes(range) });
            to = rest;
        }
        Ok(())
    }

    /// Copies `from` to the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if that is beyond the array's end. Nothing is written then.
    pub fn write(&mut self, offset: usize, mut from: &[u8]) -> Result {
        for (page, range) in self.parts(offset, from.len())? {
            let (part, rest) = from.split_at(range.len());
            // SAFETY: A page of ours, and the only one that is mapped.
            let mut local = unsafe { LocalPage::new(page) };
            // SAFETY: Initialised, and the array is borrowed mutably.
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
    /// - [`EINVAL`] if that is beyond the array's end.
    /// - [`EFAULT`] if there is no such memory in user space. Some of it may have been written.
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
    /// /// What a driver's `read` does.
    /// fn give(buffer: &PageArray<Buffers>, pos: usize, writer: &mut UserSliceWriter) -> Result {
    ///     buffer.write_to(pos, writer.len(), writer)
    /// }
    ///
    /// /// What its `write` does.
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
            // SAFETY: A page of ours, and the only one that is mapped here.
            let local = unsafe { LocalPage::new(page) };
            // SAFETY: Initialised, and the array is borrowed.
            to.write_slice(unsafe { local.bytes(range) })?;
        }
        Ok(())
    }

    /// Copies `len` bytes from user space to those from `offset` on.
    ///
    /// # Context
    ///
    /// Process context; may sleep.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if that is beyond the array's end.
    /// - [`EFAULT`] if there is no such memory in user space. Some of it may have been copied.
    pub fn read_from(&mut self, offset: usize, len: usize, from: &mut UserSliceReader) -> Result {
        for (page, range) in self.parts(offset, len)? {
            // SAFETY: A page of ours, and the only one that is mapped here.
            let mut local = unsafe { LocalPage::new(page) };
            // SAFETY: Initialised, and the array is borrowed mutably.
            from.read_slice(unsafe { local.bytes_mut(range) })?;
        }
        Ok(())
    }

    /// Copies page `from` to page `to`.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if there are no such pages.
    pub fn copy_page(&mut self, from: usize, to: usize) -> Result {
        let [source, target] =
            [from, to].map(|index| self.pages().get(index).copied().ok_or(EINVAL));
        let (source, target) = (source?, target?);
        if from == to {
            return Ok(());
        }
        // Dropped in the reverse order, as all variables are.
        // SAFETY: A page of ours.
        let source = unsafe { LocalPage::new(source) };
        // SAFETY: A page of ours, mapped later and dropped earlier than the other.
        let mut target = unsafe { LocalPage::new(target) };
        // SAFETY: Two pages, initialised; the array is borrowed mutably.
        let (source, target) =
            unsafe { (source.bytes(0..PAGE_SIZE), target.bytes_mut(0..PAGE_SIZE)) };
        target.copy_from_slice(source);
        Ok(())
    }

    /// Says where `len` bytes from `offset` on are: pages, and where in each.
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
