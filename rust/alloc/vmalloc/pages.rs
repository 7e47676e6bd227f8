// SPDX-License-Identifier: GPL-2.0-only

//! vmalloc memory page by page, as the kernel crate's scatter-gather tables take it.

use crate::{
    accounting::{
        family,
        site::Tag, //
    },
    alloc::{
        array::Array,
        vmalloc::Vmalloc, //
    },
};
use core::ptr::NonNull;
use kernel::{
    alloc::allocator::VmallocPageIter,
    page::{
        AsPageIter,
        PAGE_SIZE, //
    },
    prelude::*,
    transmute::AsBytes, //
};

/// The pages of a former [`Array`], counted at site `S` as before.
///
/// A page can be given to a device, or mapped into user space, and be written there at any time.
/// There is therefore no access to the elements any more, and no conversion back into an array.
///
/// A mapping holds a reference to its page. It keeps the memory valid after this owner is dropped,
/// but the memory is counted as freed by then.
///
/// # Examples
///
/// ```
/// use kalloc::{alloc::vmalloc::VmallocPages, Array, Vmalloc};
/// use kernel::page::{AsPageIter, PAGE_SIZE};
///
/// kalloc::sites! {
///     Firmware: vmalloc([u8]), "doc_vmalloc_pages";
/// }
///
/// let mut firmware = Array::<u8, Vmalloc<Firmware>>::zeroed(4 * PAGE_SIZE, GFP_KERNEL)?;
/// firmware.fill(7);
/// // A scatter-gather table (`SGTable::new`) takes the pages, and maps them for a device.
/// let mut pages: VmallocPages<u8, Firmware> = firmware.into_pages().map_err(|_| EINVAL)?;
/// assert_eq!(pages.page_iter().count(), 4);
/// # Ok::<(), Error>(())
/// ```
pub struct VmallocPages<T: Zeroable + AsBytes, S: Tag<Family = family::Vmalloc>> {
    array: Array<T, Vmalloc<S>>,
}

impl<T: Zeroable + AsBytes, S: Tag<Family = family::Vmalloc>> Array<T, Vmalloc<S>> {
    /// Converts the array into its pages.
    ///
    /// # Errors
    ///
    /// Returns the array if its size is not a multiple of [`PAGE_SIZE`]: the rest of the last page is
    /// not initialized.
    pub fn into_pages(self) -> Result<VmallocPages<T, S>, Self> {
        if size_of_val::<[T]>(&self) % PAGE_SIZE != 0 {
            return Err(self);
        }
        Ok(VmallocPages { array: self })
    }
}

impl<T: Zeroable + AsBytes, S: Tag<Family = family::Vmalloc>> AsPageIter for VmallocPages<T, S> {
    type Iter<'a>
        = VmallocPageIter<'a>
    where
        Self: 'a;

    fn page_iter(&mut self) -> VmallocPageIter<'_> {
        let size = size_of_val::<[T]>(&self.array);
        let start = NonNull::from(&mut *self.array).cast();
        // SAFETY: The array is a live vmalloc block of this size, or a dangling pointer that is
        // aligned to a page if the size is 0. It is borrowed as long as the iterator.
        unsafe { VmallocPageIter::new(start, size) }
    }
}
