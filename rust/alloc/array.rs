// SPDX-License-Identifier: GPL-2.0

//! Zeroed arrays that can be resized in any allocator.

use core::{
    alloc::Layout,
    marker::PhantomData,
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull, //
};
use kernel::{
    alloc::{
        AllocError,
        Allocator,
        Flags,
        NumaNode, //
    },
    prelude::*, //
};

/// An array of `T`s in memory of allocator `A`: `kcalloc()`, `krealloc_array()` and their likes.
///
/// New elements are zeroed. Resizing works both ways; when it fails, the array is what it was. So
/// that this can be promised, `T` must need no [`Drop`]; that is checked when compiling.
///
/// # Examples
///
/// ```
/// use kalloc::{Array, Kmalloc};
///
/// kalloc::sites! {
///     Tables: kmalloc([u64]), "doc_array";
/// }
///
/// let mut table = Array::<u64, Kmalloc<Tables>>::zeroed(100, GFP_KERNEL)?;
/// table[7] = 7;
/// table.resize(200, GFP_KERNEL)?;
/// assert_eq!((table[7], table[199]), (7, 0));
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `ptr` is a block of `A` for `[T; len]`, dangling if that has no bytes, with `len` valid `T`s.
pub struct Array<T: Zeroable, A: Allocator> {
    ptr: NonNull<T>,
    len: usize,
    _owned: PhantomData<(T, A)>,
}

// SAFETY: The array owns its elements.
unsafe impl<T: Zeroable + Send, A: Allocator> Send for Array<T, A> {}
// SAFETY: As above.
unsafe impl<T: Zeroable + Sync, A: Allocator> Sync for Array<T, A> {}

impl<T: Zeroable, A: Allocator> Array<T, A> {
    /// Allocates `len` zeroed elements.
    ///
    /// # Context
    ///
    /// As the allocator's, with these flags.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory, or `len` elements overflow an address.
    pub fn zeroed(len: usize, flags: Flags) -> Result<Self, AllocError> {
        Self::zeroed_on(len, flags, NumaNode::NO_NODE)
    }

    /// Allocates `len` zeroed elements, preferably on `node`.
    ///
    /// # Errors
    ///
    /// As [`Array::zeroed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::{Array, Kmalloc};
    /// use kernel::alloc::NumaNode;
    ///
    /// kalloc::sites! {
    ///     Tables: kmalloc([u64]), "doc_zeroed_on";
    /// }
    ///
    /// let table = Array::<u64, Kmalloc<Tables>>::zeroed_on(10, GFP_KERNEL, NumaNode::new(0)?)?;
    /// assert_eq!(table.len(), 10);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn zeroed_on(len: usize, flags: Flags, node: NumaNode) -> Result<Self, AllocError> {
        const {
            assert!(
                !core::mem::needs_drop::<T>(),
                "elements of an Array cannot need Drop"
            )
        };
        let layout = Layout::array::<T>(len).map_err(|_| AllocError)?;
        let ptr = A::alloc(layout, flags | __GFP_ZERO, node)?.cast();
        // INVARIANT: A block for `len` elements; zeroes are valid for `T: Zeroable`.
        Ok(Array {
            ptr,
            len,
            _owned: PhantomData,
        })
    }

    /// Makes the array `len` elements long. What is new is zeroed.
    ///
    /// A shorter array gives back the memory that it no longer needs. For that it may have to move,
    /// as a longer one.
    ///
    /// # Context
    ///
    /// As the allocator's, with these flags.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory, or `len` elements overflow an address. The array is
    /// unchanged then.
    pub fn resize(&mut self, len: usize, flags: Flags) -> Result<(), AllocError> {
        let layout = Layout::array::<T>(len).map_err(|_| AllocError)?;
        // SAFETY: By the invariants, `ptr` is a block of `A` with this layout.
        let ptr: NonNull<T> = unsafe {
            A::realloc(
                Some(self.ptr.cast()),
                layout,
                self.layout(),
                flags,
                NumaNode::NO_NODE,
            )
        }?
        .cast();
        if len > self.len {
            // The allocators' own zeroing of a tail depends on how the block was made: do it here.
            // SAFETY: The block has room for `len` elements.
            unsafe { ptr.add(self.len).write_bytes(0, len - self.len) };
        }
        // INVARIANT: A block for `len` elements, the new ones zeroed.
        self.ptr = ptr;
        self.len = len;
        Ok(())
    }

    fn layout(&self) -> Layout {
        Layout::for_value::<[T]>(self)
    }
}

impl<T: Zeroable, A: Allocator> Deref for Array<T, A> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: By the invariants.
        unsafe { core::slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl<T: Zeroable, A: Allocator> DerefMut for Array<T, A> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: By the invariants.
        unsafe { core::slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len) }
    }
}

impl<T: Zeroable, A: Allocator> Drop for Array<T, A> {
    fn drop(&mut self) {
        // SAFETY: By the invariants, the block is of `A`, with that layout.
        unsafe { A::free(self.ptr.cast(), self.layout()) };
    }
}
