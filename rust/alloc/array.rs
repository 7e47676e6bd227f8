// SPDX-License-Identifier: GPL-2.0-only

//! Zeroed arrays that can be resized, in memory of any allocator.

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

/// An array of `T`s in memory of allocator `A`: `kcalloc()`, `krealloc_array()` and similar.
///
/// New elements are zeroed. The array can grow and shrink; a failed resize leaves it unchanged.
/// This guarantee requires that `T` needs no [`Drop`], which is checked at compile time.
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
/// `ptr` is a block of `A` for `[T; len]` that holds `len` valid `T`s. It is dangling if the array
/// has no bytes.
pub struct Array<T: Zeroable, A: Allocator> {
    ptr: NonNull<T>,
    len: usize,
    _owned: PhantomData<(T, A)>,
}

// SAFETY: The array owns its elements, which are `Send`.
unsafe impl<T: Zeroable + Send, A: Allocator> Send for Array<T, A> {}
// SAFETY: A shared array only gives shared access to its elements, which are `Sync`.
unsafe impl<T: Zeroable + Sync, A: Allocator> Sync for Array<T, A> {}

impl<T: Zeroable, A: Allocator> Array<T, A> {
    /// Allocates `len` zeroed elements.
    ///
    /// # Context
    ///
    /// The allocator's, with these flags.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails, or the size of `len` elements overflows.
    pub fn zeroed(len: usize, flags: Flags) -> Result<Self, AllocError> {
        Self::zeroed_on(len, flags, NumaNode::NO_NODE)
    }

    /// Allocates `len` zeroed elements, preferably on `node`.
    ///
    /// # Errors
    ///
    /// The errors of [`Array::zeroed`], and [`AllocError`] if `node` does not exist.
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
        // INVARIANT: The block has room for `len` elements, and zeroes are valid for `T: Zeroable`.
        Ok(Array {
            ptr,
            len,
            _owned: PhantomData,
        })
    }

    /// Changes the length to `len` elements. New elements are zeroed.
    ///
    /// A shorter array gives back the memory that it no longer needs, and may therefore move, like
    /// a longer one.
    ///
    /// # Context
    ///
    /// The allocator's, with these flags.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails, or the size of `len` elements overflows. The array
    /// is unchanged in that case.
    pub fn resize(&mut self, len: usize, flags: Flags) -> Result<(), AllocError> {
        let layout = Layout::array::<T>(len).map_err(|_| AllocError)?;
        // SAFETY: By the type invariants, `ptr` is a block of `A` with this layout.
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
            // The array zeroes the tail itself, because the allocators' own zeroing of a tail
            // depends on the flags of earlier calls.
            // SAFETY: The block has room for `len` elements.
            unsafe { ptr.add(self.len).write_bytes(0, len - self.len) };
        }
        // INVARIANT: The block has room for `len` elements, and the new ones are zeroed.
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
        // SAFETY: By the type invariants, `ptr` holds `len` valid elements, which `self` owns.
        unsafe { core::slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl<T: Zeroable, A: Allocator> DerefMut for Array<T, A> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: By the type invariants, `ptr` holds `len` valid elements, which `self` owns. The
        // mutable borrow excludes other accesses.
        unsafe { core::slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len) }
    }
}

impl<T: Zeroable, A: Allocator> Drop for Array<T, A> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, the block is of `A`, with this layout. It is not used
        // afterwards.
        unsafe { A::free(self.ptr.cast(), self.layout()) };
    }
}
