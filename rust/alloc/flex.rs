// SPDX-License-Identifier: GPL-2.0-only

//! A header and an array of any length in one block: the flexible array member of C.
//!
//! | C | here |
//! |---|---|
//! | `struct { …; T tail[]; }` | [`Flex<H, T>`](Flex) |
//! | `kzalloc_flex`, `kvzalloc_flex` | [`Flex::zeroed`] |
//! | `kmalloc_flex` | [`Flex::new`], [`Flex::try_pin_init`] |
//! | `struct_size` | checked in each of them |
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h)

use crate::sys::in_place;
use core::{
    alloc::Layout,
    mem::MaybeUninit, //
};
use kernel::{
    alloc::{
        AllocError,
        Allocator,
        Box,
        Flags,
        NumaNode, //
    },
    prelude::*, //
};

/// A header, followed by an array whose length is chosen at run time.
///
/// The owner is a box of any counted allocator. Its pointer contains the length.
///
/// # Examples
///
/// ```
/// use kalloc::{Flex, KBox, Tag};
///
/// struct Header {
///     id: u32,
/// }
///
/// kalloc::sites! {
///     Messages: kmalloc([u8]), "doc_flex";
/// }
///
/// let mut message: KBox<Flex<Header, u64>, Messages> =
///     Flex::zeroed(Header { id: 7 }, 10, GFP_KERNEL)?;
/// message.tail[3] = 1;
/// assert_eq!((message.header.id, message.tail.len()), (7, 10));
/// assert_eq!(Messages::site().totals().live_bytes, 88);
///
/// // The size of so many elements overflows.
/// let huge = Flex::<Header, u64>::zeroed(Header { id: 7 }, usize::MAX / 8, GFP_KERNEL);
/// assert!(huge.map(|huge: KBox<_, Messages>| huge.tail.len()).is_err());
/// # Ok::<(), Error>(())
/// ```
#[repr(C)]
pub struct Flex<H, T> {
    /// The header.
    pub header: H,
    /// The array.
    pub tail: [T],
}

/// A block before its parts are initialized.
type Uninit<H, T> = Flex<MaybeUninit<H>, MaybeUninit<T>>;

impl<H, T> Flex<H, T> {
    /// Allocates a block with `header` and `len` zeroed elements.
    ///
    /// # Context
    ///
    /// The allocator's, with these flags.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails, or the size overflows. The header is dropped in that
    /// case.
    pub fn zeroed<A: Allocator>(
        header: H,
        len: usize,
        flags: Flags,
    ) -> Result<Box<Self, A>, AllocError>
    where
        T: Zeroable,
    {
        let mut block = Self::uninit::<A>(len, flags | __GFP_ZERO)?;
        block.header.write(header);
        // SAFETY: The header was just written, and zeroes are valid for `T: Zeroable`.
        Ok(unsafe { Self::assume_init(block) })
    }

    /// Allocates a block with `header` and `len` elements that `element` returns.
    ///
    /// # Context
    ///
    /// The allocator's, with these flags.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails, or the size overflows. The header is dropped in that
    /// case.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::{Flex, KBox};
    ///
    /// kalloc::sites! {
    ///     Routes: kmalloc([u8]), "doc_flex_new";
    /// }
    ///
    /// let route: KBox<Flex<&str, usize>, Routes> =
    ///     Flex::new("hops", 3, |hop| hop * hop, GFP_KERNEL)?;
    /// assert_eq!((route.header, &route.tail), ("hops", &[0, 1, 4][..]));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn new<A: Allocator>(
        header: H,
        len: usize,
        mut element: impl FnMut(usize) -> T,
        flags: Flags,
    ) -> Result<Box<Self, A>, AllocError> {
        let mut block = Self::uninit::<A>(len, flags)?;
        block.header.write(header);
        for (index, place) in block.tail.iter_mut().enumerate() {
            place.write(element(index));
        }
        // SAFETY: The header and each element were just written.
        Ok(unsafe { Self::assume_init(block) })
    }

    /// Allocates a block with `header`, and initializes `len` elements in place.
    ///
    /// # Context
    ///
    /// The allocator's, with these flags.
    ///
    /// # Errors
    ///
    /// - [`AllocError`] if the allocation fails, or the size overflows.
    /// - The error of an element's initializer.
    ///
    /// The header and the elements that are initialized already are dropped in that case.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::{Flex, KVBox};
    /// use kernel::{new_mutex, sync::Mutex};
    ///
    /// kalloc::sites! {
    ///     Tables: kvmalloc([u8]), "doc_flex_init";
    /// }
    ///
    /// type Table = Flex<u64, Mutex<u32>>;
    ///
    /// let table: Pin<KVBox<Table, Tables>> =
    ///     Table::try_pin_init(7, 4, |index| new_mutex!(index as u32), GFP_KERNEL)?;
    /// assert_eq!(table.tail.iter().map(|lock| *lock.lock()).sum::<u32>(), 6);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn try_pin_init<A: Allocator, I: PinInit<T, E>, E>(
        header: H,
        len: usize,
        mut element: impl FnMut(usize) -> I,
        flags: Flags,
    ) -> Result<Pin<Box<Self, A>>>
    where
        Error: From<E>,
    {
        let mut block = Self::uninit::<A>(len, flags)?;
        let parts = &mut *block;
        let mut done = Initialized {
            header: parts.header.write(header),
            tail: &mut parts.tail,
            len: 0,
        };
        for index in 0..len {
            done.push(element(index))?;
        }
        core::mem::forget(done);
        // SAFETY: The header was written, and the initializer of each element succeeded.
        Ok(unsafe { Self::assume_init(block) }.into())
    }

    /// Allocates a block for `len` elements.
    fn uninit<A: Allocator>(len: usize, flags: Flags) -> Result<Box<Uninit<H, T>, A>, AllocError> {
        let tail = Layout::array::<T>(len).map_err(|_| AllocError)?;
        let (layout, _) = Layout::new::<H>().extend(tail).map_err(|_| AllocError)?;
        let block = A::alloc(layout.pad_to_align(), flags, NumaNode::NO_NODE)?;
        let parts =
            core::ptr::slice_from_raw_parts_mut(block.cast::<MaybeUninit<T>>().as_ptr(), len);
        // SAFETY: The block is of the allocator, and has the layout of a `Flex` with `len` elements,
        // which is `repr(C)`. Any bytes are valid as `MaybeUninit`. The metadata of the pointer is
        // the length. Without bytes, the pointer is dangling and aligned.
        Ok(unsafe { Box::from_raw(parts as *mut Uninit<H, T>) })
    }

    /// Converts a block into an initialized one.
    ///
    /// # Safety
    ///
    /// The header and all elements must be initialized.
    unsafe fn assume_init<A: Allocator>(block: Box<Uninit<H, T>, A>) -> Box<Self, A> {
        // SAFETY: The caller guarantees valid contents. `MaybeUninit` changes neither the layout nor
        // the metadata.
        unsafe { Box::from_raw(Box::into_raw(block) as *mut Self) }
    }
}

/// The parts of a block that are initialized already. They are dropped if a later part fails.
///
/// # Invariants
///
/// The header and the first `len` elements are initialized.
struct Initialized<'a, H, T> {
    header: &'a mut H,
    tail: &'a mut [MaybeUninit<T>],
    len: usize,
}

impl<H, T> Initialized<'_, H, T> {
    /// Initializes the next element, if there is room for one.
    fn push<E>(&mut self, element: impl PinInit<T, E>) -> Result<(), E> {
        if let Some(place) = self.tail.get_mut(self.len) {
            // SAFETY: The place is valid for writes, and is not used if the initializer fails. The
            // element does not move before the block is pinned.
            unsafe { in_place::raw_try_init(place.as_mut_ptr(), element)? };
            // INVARIANT: The initializer succeeded.
            self.len += 1;
        }
        Ok(())
    }
}

impl<H, T> Drop for Initialized<'_, H, T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, the header is initialized. It is not used again.
        unsafe { core::ptr::drop_in_place(self.header) };
        for element in self.tail.iter_mut().take(self.len) {
            // SAFETY: By the type invariants, the element is initialized. It is not used again.
            unsafe { element.assume_init_drop() };
        }
    }
}
