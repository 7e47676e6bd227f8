// SPDX-License-Identifier: GPL-2.0

//! What can be mapped.

use crate::{
    accounting::{
        family,
        site::Tag, //
    },
    alloc::allocator::{
        Counted,
        Source, //
    },
    mm::page_info,
    page::{
        AnyHandle,
        Block,
        PageArray,
        PageSite,
        SharedPages, //
    },
    slab::ArcObject, //
    Array,
};
use kernel::{
    alloc::Box,
    page::PAGE_SIZE,
    prelude::*,
    transmute::AsBytes, //
};

/// Memory that user space may see: whole pages, initialised to the last byte.
///
/// | memory | is mappable |
/// |---|---|
/// | [`Pages<S>`](crate::Pages) and all other blocks, [`SharedPages<S>`], [`PageArray<S>`] | always |
/// | [`KBox<T, S>`](crate::KBox), [`KVBox`](crate::KVBox), [`VBox`](crate::VBox) | if `T` is of whole pages |
/// | [`Array<T, A>`](crate::Array) with `A` of this crate | if its length is of whole pages, else [`EINVAL`] |
/// | [`ArcObject<S>`](crate::slab::ArcObject) | if the type is aligned to a page, as [`PageBytes`](super::PageBytes)s are |
///
/// where `T` is [`AsBytes`]: no padding, and no interior mutability.
///
/// # Safety
///
/// As long as a value of the type is shared, and wherever it is moved to between times:
///
/// - `pages` and `pfn` always return the same, and `pfn` something for all indices below `pages`.
/// - These pages are RAM, hold the memory and nothing else, and are not freed before the value is
///   dropped.
/// - Every byte of them is initialised, and not written.
///
/// # Examples
///
/// ```
/// use kalloc::{mm::mmap::Mappable, Array, Kmalloc};
/// use kernel::page::PAGE_SIZE;
///
/// kalloc::sites! {
///     Tables: kmalloc([u8]), "doc_mappable";
/// }
///
/// let table = Array::<u8, Kmalloc<Tables>>::zeroed(2 * PAGE_SIZE, GFP_KERNEL)?;
/// assert_eq!(table.pages(), Ok(2));
/// assert!(table.pfn(1).is_some() && table.pfn(2).is_none());
/// // Which parts of it can be mapped:
/// assert_eq!((table.check(0, 2), table.check(1, 2)), (Ok(()), Err(ENXIO)));
///
/// // No memory of somebody else's is shown.
/// let small = Array::<u8, Kmalloc<Tables>>::zeroed(100, GFP_KERNEL)?;
/// assert_eq!(small.pages(), Err(EINVAL));
/// # Ok::<(), Error>(())
/// ```
pub unsafe trait Mappable: Send + Sync + 'static {
    /// Returns the number of pages.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if the memory is not whole pages.
    fn pages(&self) -> Result<usize>;

    /// Returns the frame number of page `index`, if there is such a page.
    fn pfn(&self, index: usize) -> Option<usize>;

    /// Checks that `count` pages from `first` on are the memory's.
    ///
    /// # Errors
    ///
    /// - [`ENXIO`] if they are not, or `count` is 0.
    /// - [`EINVAL`] if the memory is not whole pages.
    fn check(&self, first: usize, count: usize) -> Result {
        let end = first.checked_add(count).ok_or(ENXIO)?;
        if count == 0 || end > self.pages()? {
            return Err(ENXIO);
        }
        Ok(())
    }
}

/// The number of pages that `bytes` are, if they are whole ones.
fn whole_pages(bytes: &[u8]) -> Result<usize> {
    // What stands for no bytes is aligned to nothing.
    let aligned = bytes.is_empty() || bytes.as_ptr().addr() % PAGE_SIZE == 0;
    let whole = aligned && bytes.len() % PAGE_SIZE == 0;
    whole.then_some(bytes.len() / PAGE_SIZE).ok_or(EINVAL)
}

/// The frame number of page `index` of `bytes`.
fn frame(bytes: &[u8], index: usize) -> Option<usize> {
    page_info::pfn_of(bytes, index.checked_mul(PAGE_SIZE)?).ok()
}

// SAFETY: A block is whole pages in the direct mapping, which are its own until it is dropped; they
// are initialised, the bytes being `u8`. A shared reference only reads.
unsafe impl<H: AnyHandle + 'static, S: PageSite> Mappable for Block<H, S> {
    fn pages(&self) -> Result<usize> {
        whole_pages(self)
    }

    fn pfn(&self, index: usize) -> Option<usize> {
        (index < self.len() / PAGE_SIZE).then(|| Block::pfn(self) + index)
    }
}

// SAFETY: As above, until the last owner is dropped. As long as this one is shared, nobody is the only
// owner, who could write.
unsafe impl<S: PageSite> Mappable for SharedPages<S> {
    fn pages(&self) -> Result<usize> {
        whole_pages(self)
    }

    fn pfn(&self, index: usize) -> Option<usize> {
        (index < self.len() / PAGE_SIZE).then(|| SharedPages::pfn(self) + index)
    }
}

// SAFETY: The pages are the array's own until it is dropped; they were zeroed, and a mapping, which
// could write them, borrows the array mutably.
unsafe impl<S: PageSite> Mappable for PageArray<S> {
    fn pages(&self) -> Result<usize> {
        Ok(self.len())
    }

    fn pfn(&self, index: usize) -> Option<usize> {
        PageArray::pfn(self, index)
    }
}

// SAFETY: `whole_pages` refuses any other block than one of whole pages, so that nothing else is in
// them. The block is of kmalloc or vmalloc, stays where it is when the box is moved, and until it is
// dropped. `AsBytes` says that all bytes are initialised, and not written through a shared reference.
unsafe impl<T, F, S> Mappable for Box<T, Counted<F, S>>
where
    T: AsBytes + Send + Sync + 'static,
    F: Source + 'static,
    S: Tag<Family = F>,
{
    fn pages(&self) -> Result<usize> {
        const {
            assert!(
                size_of::<T>() % PAGE_SIZE == 0,
                "a type of whole pages can be mapped"
            )
        };
        whole_pages(T::as_bytes(self))
    }

    fn pfn(&self, index: usize) -> Option<usize> {
        // A `T` of no size has no page.
        frame(T::as_bytes(self), index)
    }
}

// SAFETY: As for boxes. All elements are initialised, and what the block has beyond them begins with
// a page of its own, which is not mapped.
unsafe impl<T, F, S> Mappable for Array<T, Counted<F, S>>
where
    T: Zeroable + Send + Sync + 'static,
    [T]: AsBytes,
    F: Source + 'static,
    S: Tag<Family = F>,
{
    fn pages(&self) -> Result<usize> {
        whole_pages(<[T]>::as_bytes(self))
    }

    fn pfn(&self, index: usize) -> Option<usize> {
        frame(<[T]>::as_bytes(self), index)
    }
}

// SAFETY: The object is as large and as aligned as whole pages, so that no other object is in them.
// It holds its cache, and goes back to it when it is dropped, not before. For its bytes see boxes.
unsafe impl<S> Mappable for ArcObject<S>
where
    S: Tag<Family = family::SlabCache, Object: AsBytes + Send + Sync + Sized + 'static>,
{
    fn pages(&self) -> Result<usize> {
        const {
            assert!(
                align_of::<S::Object>() % PAGE_SIZE == 0,
                "an object that is aligned to a page can be mapped"
            )
        };
        whole_pages(S::Object::as_bytes(self))
    }

    fn pfn(&self, index: usize) -> Option<usize> {
        frame(S::Object::as_bytes(self), index)
    }
}
