// SPDX-License-Identifier: GPL-2.0-only

//! Additional methods and macros of counted vectors.

use crate::{
    accounting::site::Tag,
    alloc::allocator::{
        Counted,
        Source, //
    }, //
};
use core::{
    alloc::Layout,
    ptr::NonNull, //
};
use kernel::alloc::{
    AllocError,
    Allocator,
    Flags,
    NumaNode,
    Vec, //
};

/// Methods of [`KVec`](crate::KVec), [`KVVec`](crate::KVVec) and [`VVec`](crate::VVec) that the
/// kernel crate's `Vec` lacks, or has for its own allocators only.
///
/// # Examples
///
/// ```
/// use kalloc::{alloc::vec::VecExt, KVVec, Tag};
/// use kernel::alloc::NumaNode;
///
/// kalloc::sites! {
///     Lists: kvmalloc([u64]), "doc_vec_ext";
/// }
///
/// let mut list = KVVec::<u64, Lists>::with_capacity(100_000, GFP_KERNEL)?;
/// list.push(7, GFP_KERNEL)?;
/// list.shrink_to(4, GFP_KERNEL)?;
/// assert_eq!((list.capacity(), list.first()), (4, Some(&7)));
/// assert_eq!(Lists::site().totals().live_bytes, 32);
///
/// let node = NumaNode::new(0)?;
/// let mut list = KVVec::<u64, Lists>::with_capacity_on(10, GFP_KERNEL, node)?;
/// list.push(7, GFP_KERNEL)?;
/// # Ok::<(), Error>(())
/// ```
pub trait VecExt<T>: Sized {
    /// Reduces the capacity to the length or to `min_capacity`, whichever is larger.
    ///
    /// The memory that the vector no longer needs is freed, so that the elements may move. A vector
    /// with a smaller capacity is unchanged.
    ///
    /// # Context
    ///
    /// The allocator's, with these flags.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails. The vector is unchanged in that case.
    fn shrink_to(&mut self, min_capacity: usize, flags: Flags) -> Result<(), AllocError>;

    /// Creates a vector with memory for `capacity` elements, preferably on `node`.
    ///
    /// If the vector grows, its new memory may be on any node.
    ///
    /// # Context
    ///
    /// The allocator's, with these flags.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails, the size of `capacity` elements overflows, or `node`
    /// does not exist.
    fn with_capacity_on(capacity: usize, flags: Flags, node: NumaNode) -> Result<Self, AllocError>;
}

impl<T, F: Source, S: Tag<Family = F>> VecExt<T> for Vec<T, Counted<F, S>> {
    fn shrink_to(&mut self, min_capacity: usize, flags: Flags) -> Result<(), AllocError> {
        let (new, old) = (self.len().max(min_capacity), self.capacity());
        if size_of::<T>() == 0 || new >= old {
            return Ok(());
        }
        let layout = Layout::array::<T>(new).map_err(|_| AllocError)?;
        let old_layout = Layout::array::<T>(old).map_err(|_| AllocError)?;
        let (ptr, len, _) = core::mem::take(self).into_raw_parts();
        // SAFETY: The vector gave up its memory, a block of the allocator with this layout. The
        // block stays valid if the call fails.
        let block = unsafe {
            Counted::<F, S>::realloc(
                NonNull::new(ptr.cast()),
                layout,
                old_layout,
                flags,
                NumaNode::NO_NODE,
            )
        };
        let (ptr, capacity) = match block {
            Ok(block) => (block.cast().as_ptr(), new),
            Err(AllocError) => (ptr, old),
        };
        // SAFETY: The block is of this allocator, and has room for `capacity` elements, of which the
        // first `len` are valid.
        *self = unsafe { Vec::from_raw_parts(ptr, len, capacity) };
        block.map(drop)
    }

    fn with_capacity_on(capacity: usize, flags: Flags, node: NumaNode) -> Result<Self, AllocError> {
        if size_of::<T>() == 0 {
            return Ok(Vec::new());
        }
        let layout = Layout::array::<T>(capacity).map_err(|_| AllocError)?;
        let block = Counted::<F, S>::alloc(layout, flags, node)?;
        // SAFETY: The block is of this allocator, and has room for `capacity` elements.
        Ok(unsafe { Vec::from_raw_parts(block.cast().as_ptr(), 0, capacity) })
    }
}

/// Creates a counted [`KVec`](crate::KVec) of the given elements, with `GFP_KERNEL`.
///
/// The site is that of the variable's type. The macro has the forms of the kernel crate's
/// [`kvec!`](kernel::kvec).
///
/// # Examples
///
/// ```
/// use kalloc::{kvec, KVec, Tag};
///
/// kalloc::sites! {
///     Lists: kmalloc([u32]), "doc_kvec_macro";
/// }
///
/// let list: KVec<u32, Lists> = kvec![1, 2, 3]?;
/// let zeroes: KVec<u32, Lists> = kvec![0; 5]?;
/// let empty: KVec<u32, Lists> = kvec![];
/// assert_eq!((list.len(), zeroes.len(), empty.len()), (3, 5, 0));
/// assert_eq!(Lists::site().totals().live_bytes, 32);
/// # Ok::<(), Error>(())
/// ```
#[macro_export]
macro_rules! kvec {
    () => {
        $crate::KVec::new()
    };
    ($element:expr; $n:expr) => {
        $crate::KVec::from_elem($element, $n, ::kernel::alloc::flags::GFP_KERNEL)
    };
    ($($element:expr),+ $(,)?) => {
        $crate::KBox::new_uninit(::kernel::alloc::flags::GFP_KERNEL)
            .map(|memory| $crate::KVec::from($crate::KBox::write(memory, [$($element),+])))
    };
}
