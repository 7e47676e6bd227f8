// SPDX-License-Identifier: GPL-2.0-only

//! Memory that can be mapped into user space.

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
        Block,
        BlockKind,
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

/// Memory that user space may read: whole pages in which every byte is initialized.
///
/// | memory | mappable |
/// |---|---|
/// | [`Pages<S>`](crate::Pages) and all other blocks, [`SharedPages<S>`], [`PageArray<S>`] | always |
/// | [`KBox<T, S>`](crate::KBox), [`KVBox`](crate::KVBox), [`VBox`](crate::VBox) | if the size of `T` is a multiple of the page size |
/// | [`Array<T, A>`](crate::Array) with `A` of this crate | if its size is a multiple of the page size, else [`EINVAL`] |
/// | [`ArcObject<S>`](crate::slab::ArcObject) | if the type is aligned to a page, such as [`PageBytes`](super::PageBytes) |
///
/// `T` must be [`AsBytes`]: it has no padding and no interior mutability.
///
/// # Safety
///
/// The following must hold as long as a value of the type is shared, even if it was moved before:
///
/// - `pages` and `pfn` must always return the same results, and `pfn` must return a frame for all
///   indices below `pages`.
/// - These pages must be RAM, hold the memory and nothing else, and not be freed before the value
///   is dropped.
/// - Every byte of these pages must be initialized, and not written.
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
/// // The ranges that can be mapped:
/// assert_eq!((table.check(0, 2), table.check(1, 2)), (Ok(()), Err(ENXIO)));
///
/// // Other memory in the same page is never mapped.
/// let small = Array::<u8, Kmalloc<Tables>>::zeroed(100, GFP_KERNEL)?;
/// assert_eq!(small.pages(), Err(EINVAL));
/// # Ok::<(), Error>(())
/// ```
pub unsafe trait Mappable: Send + Sync + 'static {
    /// Returns the number of pages.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if the memory does not consist of whole pages.
    fn pages(&self) -> Result<usize>;

    /// Returns the frame number of page `index`, or `None` if there is no such page.
    fn pfn(&self, index: usize) -> Option<usize>;

    /// Checks that the memory has `count` pages from `first` on.
    ///
    /// # Errors
    ///
    /// - [`ENXIO`] if it does not, or `count` is 0.
    /// - [`EINVAL`] if the memory does not consist of whole pages.
    fn check(&self, first: usize, count: usize) -> Result {
        let end = first.checked_add(count).ok_or(ENXIO)?;
        if count == 0 || end > self.pages()? {
            return Err(ENXIO);
        }
        Ok(())
    }
}

/// Returns the number of pages in `bytes`, or [`EINVAL`] if they are not whole pages.
fn whole_pages(bytes: &[u8]) -> Result<usize> {
    // The pointer of an empty slice need not be aligned.
    let aligned = bytes.is_empty() || bytes.as_ptr().addr() % PAGE_SIZE == 0;
    let whole = aligned && bytes.len() % PAGE_SIZE == 0;
    whole.then_some(bytes.len() / PAGE_SIZE).ok_or(EINVAL)
}

/// Returns the frame number of page `index` of `bytes`.
fn frame(bytes: &[u8], index: usize) -> Option<usize> {
    page_info::pfn_of(bytes, index.checked_mul(PAGE_SIZE)?).ok()
}

// SAFETY: A block consists of whole pages in the direct map, which it owns until it is dropped.
// They are initialized, because they are a `[u8]`. A shared reference only reads them.
unsafe impl<K: BlockKind + 'static, S: PageSite> Mappable for Block<K, S> {
    fn pages(&self) -> Result<usize> {
        whole_pages(self)
    }

    fn pfn(&self, index: usize) -> Option<usize> {
        (index < self.len() / PAGE_SIZE).then(|| Block::pfn(self) + index)
    }
}

// SAFETY: The owners share whole initialized pages in the direct map until the last owner is
// dropped. As long as this owner is shared, no owner is the only one, so none can write.
unsafe impl<S: PageSite> Mappable for SharedPages<S> {
    fn pages(&self) -> Result<usize> {
        whole_pages(self)
    }

    fn pfn(&self, index: usize) -> Option<usize> {
        (index < self.len() / PAGE_SIZE).then(|| SharedPages::pfn(self) + index)
    }
}

// SAFETY: The array owns the pages until it is dropped, and they were zeroed. A mapping that could
// write them borrows the array mutably.
unsafe impl<S: PageSite> Mappable for PageArray<S> {
    fn pages(&self) -> Result<usize> {
        Ok(self.len())
    }

    fn pfn(&self, index: usize) -> Option<usize> {
        PageArray::pfn(self, index)
    }
}

// SAFETY: `whole_pages` rejects a block that does not consist of whole pages, so nothing else is in
// them. The block is from kmalloc or vmalloc. It does not move with the box, and lives until the
// box is dropped. `AsBytes` guarantees that all bytes are initialized, and that no shared reference
// writes them.
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
        // A zero-sized `T` has no page.
        frame(T::as_bytes(self), index)
    }
}

// SAFETY: `whole_pages` rejects elements that are not whole pages. The rest of the block begins at
// a page boundary, and is not mapped. The block does not move with the array, and lives until the
// array is dropped. `AsBytes` guarantees that all elements are initialized, and that no shared
// reference writes them.
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

// SAFETY: The size and the alignment of the object are multiples of the page size, so no other
// object is in its pages. It holds a reference to its cache, and is freed to it only when it is
// dropped. `AsBytes` guarantees that all bytes are initialized, and that no shared reference writes
// them.
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
