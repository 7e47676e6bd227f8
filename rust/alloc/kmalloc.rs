// SPDX-License-Identifier: GPL-2.0-only

//! kmalloc: physically contiguous memory from the size classes.
//!
//! [`Kmalloc<S>`] and [`KVmalloc<S>`] are allocators in the sense of [`kernel::alloc`], so that the
//! kernel crate's own `Box` and `Vec` work with them: [`KBox`], [`KVec`], [`KVBox`], [`KVVec`].
//! [`Array`](crate::Array) is a zeroed array that can be resized.
//!
//! | C | here |
//! |---|---|
//! | `kmalloc(sizeof(T))`, `kfree` | [`KBox::new`](Box::new), drop |
//! | `kzalloc` | [`KBox::zeroed`](Box::zeroed), or with `__GFP_ZERO` |
//! | `kmalloc_array`, growing | [`KVec`] |
//! | `kcalloc`, `krealloc_array` | [`Array::zeroed`](crate::Array::zeroed), [`Array::resize`](crate::Array::resize) |
//! | `ksize` | [`block_size`]; [`usable_size`], which guarantees only the result of `kmalloc_size_roundup` |
//! | `kvmalloc`, `kvfree` | [`KVBox`], [`KVVec`] |
//!
//! Memory has the alignment of its type. A size of 0 allocates nothing. A size above [`MAX_SIZE`]
//! fails (kmalloc) or is mapped from pages (kvmalloc). kvmalloc uses huge pages if the size is a
//! multiple of theirs, else single pages. No block takes more than the pages that hold it. An
//! allocation on a node that does not exist fails.
//!
//! # Context
//!
//! Allocating may sleep unless the flags forbid it (`GFP_ATOMIC`, `GFP_NOWAIT`). Dropping is
//! allowed in any context but NMI. With `CONFIG_PREEMPT_RT`, it is allowed in a context that [may
//! allocate](crate::sys::context::can_allocate). kvmalloc has no blocks of more than a page in
//! interrupts, or where interrupts or bottom halves are disabled. In other atomic context it has
//! none if the flags allow it to sleep.
//!
//! [`KVmalloc<S>`]: crate::alloc::kvmalloc::KVmalloc
//! [`KVBox`]: crate::alloc::kvmalloc::KVBox
//! [`KVVec`]: crate::alloc::kvmalloc::KVVec
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h)
//!
//! Reference: <https://docs.kernel.org/core-api/memory-allocation.html>

pub(super) mod backend;
pub(super) mod size_class;

use self::size_class::Class;
use crate::{
    accounting::{
        family,
        site::Tag, //
    },
    alloc::{
        allocator::Counted,
        array, //
    },
    sys::bindings, //
};
use kernel::{
    alloc::{
        Box,
        Vec, //
    },
    prelude::Zeroable, //
};

/// The largest size of kmalloc (`KMALLOC_MAX_SIZE`).
pub const MAX_SIZE: usize = bindings::KMALLOC_MAX_SIZE as usize;

/// The largest size that kmalloc serves from a slab (`KMALLOC_MAX_CACHE_SIZE`). Larger blocks are
/// whole pages.
pub const MAX_SLAB_SIZE: usize = bindings::KMALLOC_MAX_CACHE_SIZE as usize;

/// The smallest block of a slab (`KMALLOC_MIN_SIZE`).
pub const MIN_SIZE: usize = bindings::KMALLOC_MIN_SIZE as usize;

/// Returns the usable bytes of a block for `size` bytes (`kmalloc_size_roundup()`).
///
/// This is the size of its class, or of its pages. A size of 0 or above [`MAX_SIZE`] is returned
/// unchanged.
///
/// # Examples
///
/// ```
/// use kalloc::alloc::kmalloc::{usable_size, MAX_SIZE, MAX_SLAB_SIZE, MIN_SIZE};
///
/// // Some machines lack small classes, or classes between two powers of two.
/// assert!(usable_size(1) >= MIN_SIZE);
/// assert!(usable_size(65) == 96 || usable_size(65) == 128);
/// // Above the largest class, blocks are whole pages.
/// assert_eq!(usable_size(MAX_SLAB_SIZE + 1), 2 * MAX_SLAB_SIZE);
/// assert_eq!(usable_size(MAX_SIZE), MAX_SIZE);
/// ```
#[inline]
pub fn usable_size(size: usize) -> usize {
    if size == 0 || size > MAX_SIZE {
        return size;
    }
    Class::of(size).size()
}

/// Returns the bytes that the allocator has reserved for the block of an array (`ksize()`).
///
/// The result comes from the block itself, not from its size. Bytes beyond [`usable_size`] must not
/// be used, and may not exist: a block that KFENCE guards ends with the array. Returns 0 for an
/// array without bytes, which has no block.
///
/// # Examples
///
/// ```
/// use kalloc::{alloc::kmalloc::block_size, Array, Kmalloc};
///
/// kalloc::sites! {
///     Names: kmalloc([u8]), "doc_block_size";
/// }
///
/// let name = Array::<u8, Kmalloc<Names>>::zeroed(65, GFP_KERNEL)?;
/// assert!(block_size(&name) >= 65);
/// # Ok::<(), Error>(())
/// ```
pub fn block_size<T: Zeroable, S: Tag<Family = family::Kmalloc>>(
    array: &array::Array<T, Kmalloc<S>>,
) -> usize {
    if size_of_val::<[T]>(array) == 0 {
        return 0;
    }
    // SAFETY: An array with bytes is a live kmalloc block, and starts at the start of the block.
    unsafe { bindings::ksize(array.as_ptr().cast()) }
}

/// The kmalloc allocator, counting at site `S`.
///
/// # Examples
///
/// ```
/// use kalloc::{Array, Kmalloc};
///
/// kalloc::sites! {
///     Names: kmalloc([u8]), "doc_kmalloc";
/// }
///
/// let name = Array::<u8, Kmalloc<Names>>::zeroed(16, GFP_KERNEL)?;
/// assert!(name.iter().all(|&byte| byte == 0));
/// # Ok::<(), Error>(())
/// ```
pub type Kmalloc<S> = Counted<family::Kmalloc, S>;

/// A `T` in kmalloc memory.
///
/// # Examples
///
/// ```
/// use kalloc::{KBox, Tag};
///
/// struct Request {
///     sector: u64,
/// }
///
/// kalloc::sites! {
///     Requests: kmalloc(Request), "doc_kbox";
/// }
///
/// let request = KBox::<_, Requests>::new(Request { sector: 8 }, GFP_KERNEL)?;
/// assert_eq!(request.sector, 8);
/// assert_eq!(Requests::site().totals().live(), 1);
///
/// drop(request);
/// assert_eq!(Requests::site().totals().live(), 0);
/// # Ok::<(), Error>(())
/// ```
pub type KBox<T, S> = Box<T, Kmalloc<S>>;
/// A growing array in kmalloc memory.
///
/// # Examples
///
/// ```
/// use kalloc::KVec;
///
/// kalloc::sites! {
///     Queues: kmalloc([u32]), "doc_kvec";
/// }
///
/// let mut queue = KVec::<u32, Queues>::new();
/// queue.push(1, GFP_KERNEL)?;
/// queue.push(2, GFP_KERNEL)?;
/// assert_eq!(queue.as_slice(), [1, 2]);
/// # Ok::<(), Error>(())
/// ```
pub type KVec<T, S> = Vec<T, Kmalloc<S>>;
