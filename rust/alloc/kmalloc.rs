// SPDX-License-Identifier: GPL-2.0

//! kmalloc: physically contiguous memory from the size classes, and kvmalloc.
//!
//! [`Kmalloc<S>`] and [`KVmalloc<S>`] are allocators in the sense of [`kernel::alloc`], so that
//! the kernel crate's own `Box` and `Vec` work with them: [`KBox`], [`KVec`], [`KVBox`],
//! [`KVVec`]. For plain arrays that come zeroed and can be resized there is
//! [`Array`](crate::Array).
//!
//! | C | here |
//! |---|---|
//! | `kmalloc(sizeof(T))`, `kfree` | [`KBox::new`](Box::new), drop |
//! | `kzalloc` | [`KBox::zeroed`](Box::zeroed), or with `__GFP_ZERO` |
//! | `kmalloc_array`, growing | [`KVec`] |
//! | `kcalloc`, `krealloc_array` | [`Array::zeroed`](crate::Array::zeroed), [`Array::resize`](crate::Array::resize) |
//! | `ksize` | [`block_size`]; [`usable_size`], which promises only what `kmalloc_size_roundup` does |
//! | `kvmalloc`, `kvfree` | [`KVBox`], [`KVVec`] |
//!
//! Memory has the alignment of its type. A size of 0 allocates nothing; one above [`MAX_SIZE`]
//! fails (kmalloc) or is mapped from pages (kvmalloc): from huge ones if its size is a multiple of
//! those, else from single ones, so that no block takes more than the pages that hold it. A node
//! that the machine does not have fails.
//!
//! # Context
//!
//! Allocating may sleep unless the flags say otherwise (`GFP_ATOMIC`, `GFP_NOWAIT`). Dropping is allowed
//! everywhere but in NMI; with `CONFIG_PREEMPT_RT`, where
//! [memory may be had](crate::sys::context::can_allocate). In interrupts, and where they or bottom halves are
//! disabled, kvmalloc has no blocks of more than a page, nor anywhere atomic if the flags allow it to sleep.
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

/// The largest block that kmalloc has (`KMALLOC_MAX_SIZE`).
pub const MAX_SIZE: usize = bindings::KMALLOC_MAX_SIZE as usize;

/// The largest block that comes from a slab; above it are whole pages (`KMALLOC_MAX_CACHE_SIZE`).
pub const MAX_SLAB_SIZE: usize = bindings::KMALLOC_MAX_CACHE_SIZE as usize;

/// The smallest block that comes from a slab (`KMALLOC_MIN_SIZE`).
pub const MIN_SIZE: usize = bindings::KMALLOC_MIN_SIZE as usize;

/// Returns how many bytes of a block for `size` bytes may be used: the size of its class, or of its
/// pages (`kmalloc_size_roundup()`). A size that kmalloc has no block for is returned as it is.
///
/// # Examples
///
/// ```
/// use kalloc::alloc::kmalloc::{usable_size, MAX_SIZE, MAX_SLAB_SIZE, MIN_SIZE};
///
/// // Some machines have no classes as small, or none between two powers of two.
/// assert!(usable_size(1) >= MIN_SIZE);
/// assert!(usable_size(65) == 96 || usable_size(65) == 128);
/// // Above the largest class there are whole pages.
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

/// Returns how many bytes the allocator has set aside for the block of an array (`ksize()`): as it
/// tells when asked about the block, not as it follows from a size. Bytes beyond what
/// [`usable_size`] says are not to be used, and may not be there: a block that KFENCE guards ends
/// where the array does. An array without bytes has no block, and so 0.
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
    // SAFETY: An array that has bytes is a live kmalloc block, and starts where that does.
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
