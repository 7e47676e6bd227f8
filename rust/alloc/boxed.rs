// SPDX-License-Identifier: GPL-2.0-only

//! Additional constructors of counted boxes.

use crate::{
    accounting::site::Tag,
    alloc::allocator::{
        Counted,
        Source, //
    },
    sys::in_place, //
};
use core::{
    alloc::Layout,
    mem::MaybeUninit, //
};
use kernel::alloc::{
    AllocError,
    Allocator,
    Box,
    Flags,
    NumaNode, //
};

/// Constructors of [`KBox`](crate::KBox), [`KVBox`](crate::KVBox) and [`VBox`](crate::VBox) on a
/// NUMA node (`kmalloc_node()` and similar).
///
/// # Examples
///
/// ```
/// use kalloc::{alloc::boxed::BoxExt, KBox, Tag};
/// use kernel::alloc::NumaNode;
///
/// kalloc::sites! {
///     Queues: kmalloc([u64; 8]), "doc_box_ext";
/// }
///
/// let node = NumaNode::new(0)?;
/// let queue = KBox::<[u64; 8], Queues>::new_on([0; 8], GFP_KERNEL, node)?;
/// assert_eq!(queue.len(), 8);
/// assert_eq!(Queues::site().totals().live(), 1);
///
/// type Empty = <KBox<[u64; 8], Queues> as BoxExt<[u64; 8]>>::Uninit;
/// let memory: Empty = KBox::<[u64; 8], Queues>::new_uninit_on(GFP_KERNEL, node)?;
/// assert_eq!(memory.write([1; 8])[7], 1);
/// # Ok::<(), Error>(())
/// ```
pub trait BoxExt<T>: Sized {
    /// The box before its value is initialized.
    type Uninit;

    /// Allocates a box without initializing the value, preferably on `node`.
    ///
    /// # Context
    ///
    /// The allocator's, with these flags.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails, or `node` does not exist.
    fn new_uninit_on(flags: Flags, node: NumaNode) -> Result<Self::Uninit, AllocError>;

    /// Allocates a box, preferably on `node`, and moves `value` into it.
    ///
    /// The value is on the stack before. A value of more than 2 KiB does not compile.
    ///
    /// # Context
    ///
    /// The allocator's, with these flags.
    ///
    /// # Errors
    ///
    /// The errors of [`new_uninit_on`](Self::new_uninit_on). The value is dropped in that case.
    fn new_on(value: T, flags: Flags, node: NumaNode) -> Result<Self, AllocError>;
}

impl<T, F: Source, S: Tag<Family = F>> BoxExt<T> for Box<T, Counted<F, S>> {
    type Uninit = Box<MaybeUninit<T>, Counted<F, S>>;

    fn new_uninit_on(flags: Flags, node: NumaNode) -> Result<Self::Uninit, AllocError> {
        let block = Counted::<F, S>::alloc(Layout::new::<T>(), flags, node)?;
        // SAFETY: The block is of this allocator, and has room for a `T`. Without bytes, the pointer
        // is dangling and aligned.
        Ok(unsafe { Box::from_raw(block.cast().as_ptr()) })
    }

    fn new_on(value: T, flags: Flags, node: NumaNode) -> Result<Self, AllocError> {
        const { in_place::assert_movable::<T>() };
        Ok(Self::new_uninit_on(flags, node)?.write(value))
    }
}
