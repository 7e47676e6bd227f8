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
//! Memory has the alignment of its type. A size of 0 allocates nothing; one above
//! [`MAX_SIZE`] fails (kmalloc) or is mapped from single pages (kvmalloc). So does a node that the
//! machine does not have.
//!
//! # Context
//!
//! Allocating may sleep unless the flags say otherwise (`GFP_ATOMIC`, `GFP_NOWAIT`). Dropping is allowed
//! everywhere but in NMI. In interrupts, kvmalloc has no blocks of more than a page.
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h)
//!
//! Reference: <https://docs.kernel.org/core-api/memory-allocation.html>

use crate::{
    allocator::{
        Counted,
        Source, //
    },
    bindings,
    context,
    gfp::{
        self,
        Gfp,
        Order, //
    },
    site::{
        Family,
        Sealed,
        Shape,
        Site,
        Tag, //
    },
    slab,
    stats::Totals,
    vmalloc, //
};
use core::{
    alloc::Layout,
    ptr::NonNull, //
};
use kernel::{
    alloc::{
        Box,
        NumaNode,
        Vec, //
    },
    ffi::c_ulong,
    page::PAGE_SIZE,
    prelude::Zeroable, //
};

/// The largest block that kmalloc has (`KMALLOC_MAX_SIZE`).
pub const MAX_SIZE: usize = bindings::KMALLOC_MAX_SIZE as usize;

/// The largest block that comes from a slab; above it are whole pages (`KMALLOC_MAX_CACHE_SIZE`).
pub const MAX_SLAB_SIZE: usize = bindings::KMALLOC_MAX_CACHE_SIZE as usize;

/// The smallest block that comes from a slab (`KMALLOC_MIN_SIZE`).
pub const MIN_SIZE: usize = bindings::KMALLOC_MIN_SIZE as usize;

/// The family of [`Kmalloc`].
///
/// # Examples
///
/// ```
/// use kalloc::{kmalloc::Contiguous, Array, Kmalloc, Tag};
///
/// // The site of a caller's choice.
/// fn table<S: Tag<Family = Contiguous>>(len: usize) -> Result<Array<u64, Kmalloc<S>>> {
///     Ok(Array::zeroed(len, GFP_KERNEL)?)
/// }
///
/// kalloc::sites! {
///     Tables: kmalloc([u64]), "doc_contiguous";
/// }
///
/// assert_eq!(table::<Tables>(10)?.len(), 10);
/// # Ok::<(), Error>(())
/// ```
pub struct Contiguous;

/// The family of [`KVmalloc`].
///
/// # Examples
///
/// ```
/// use kalloc::{kmalloc::Either, Array, KVmalloc, Tag};
///
/// // The site of a caller's choice.
/// fn table<S: Tag<Family = Either>>(len: usize) -> Result<Array<u64, KVmalloc<S>>> {
///     Ok(Array::zeroed(len, GFP_KERNEL)?)
/// }
///
/// kalloc::sites! {
///     Tables: kvmalloc([u64]), "doc_either";
/// }
///
/// assert_eq!(table::<Tables>(100_000)?.len(), 100_000);
/// # Ok::<(), Error>(())
/// ```
pub struct Either;

impl Sealed for Contiguous {}

impl Family for Contiguous {
    const NAME: &'static str = "kmalloc";
    const MAX_SIZE: usize = MAX_SIZE;
    const CLASS_SIZE: Option<fn(usize) -> usize> = Some(usable_size);

    fn unit_footprint(site: &Site) -> usize {
        usable_size(site.unit())
    }

    fn shape(site: &Site, live: &Totals) -> Shape {
        shape(site.unit(), live)
    }
}

impl Sealed for Either {}

impl Family for Either {
    const NAME: &'static str = "kvmalloc";
    const MAX_SIZE: usize = i32::MAX as usize;
    const VARIES: bool = true;

    fn unit_footprint(site: &Site) -> usize {
        site.unit()
    }

    fn shape(site: &Site, live: &Totals) -> Shape {
        shape(site.unit(), live)
    }
}

/// The shape of the size class that serves `unit` bytes; of what is live, if sizes vary.
fn shape(unit: usize, live: &Totals) -> Shape {
    if unit == 0 {
        return Shape::mixed(live);
    }
    if unit <= MAX_SLAB_SIZE {
        // SAFETY: The classes are made at boot and stay; `class` is in bounds for such a size.
        let geometry = unsafe { slab::geometry(bindings::kmalloc_caches[0][class(unit)]) };
        return Shape::packed(geometry, live.live());
    }
    let bytes = match Order::for_bytes(unit) {
        Ok(order) => order.bytes(),
        Err(_) => unit.next_multiple_of(PAGE_SIZE),
    };
    Shape::pages(bytes, live.live())
}

/// Returns how many bytes of a block for `size` bytes may be used: the size of its class, or of its
/// pages (`kmalloc_size_roundup()`). A size that kmalloc has no block for is returned as it is.
///
/// # Examples
///
/// ```
/// use kalloc::kmalloc::{usable_size, MAX_SIZE, MAX_SLAB_SIZE, MIN_SIZE};
///
/// assert_eq!(usable_size(1), MIN_SIZE);
/// assert_eq!(usable_size(65), 96);
/// // Above the largest class there are whole pages.
/// assert_eq!(usable_size(MAX_SLAB_SIZE + 1), 2 * MAX_SLAB_SIZE);
/// assert_eq!(usable_size(MAX_SIZE), MAX_SIZE);
/// ```
#[inline]
pub const fn usable_size(size: usize) -> usize {
    if size == 0 || size > MAX_SIZE {
        return size;
    }
    class_size(size)
}

/// Returns how many bytes the allocator has set aside for the block of an array (`ksize()`): as it
/// tells when asked about the block, not as it follows from a size. Bytes beyond what
/// [`usable_size`] says are not to be used, and may not be there: a block that KFENCE guards ends
/// where the array does. An array without bytes has no block, and so 0.
///
/// # Examples
///
/// ```
/// use kalloc::{kmalloc::block_size, Array, Kmalloc};
///
/// kalloc::sites! {
///     Names: kmalloc([u8]), "doc_block_size";
/// }
///
/// let name = Array::<u8, Kmalloc<Names>>::zeroed(65, GFP_KERNEL)?;
/// assert!(block_size(&name) >= 65);
/// # Ok::<(), Error>(())
/// ```
pub fn block_size<T: Zeroable, S: Tag<Family = Contiguous>>(
    array: &crate::Array<T, Kmalloc<S>>,
) -> usize {
    if size_of_val::<[T]>(array) == 0 {
        return 0;
    }
    // SAFETY: An array that has bytes is a live kmalloc block, and starts where that does.
    unsafe { bindings::ksize(array.as_ptr().cast()) }
}

/// [`usable_size`] for sizes from 1 to [`MAX_SIZE`].
#[inline(always)]
const fn class_size(size: usize) -> usize {
    if size > MAX_SLAB_SIZE {
        return size.next_power_of_two();
    }
    match class(size) {
        1 => 96,
        2 => 192,
        class => 1 << class,
    }
}

/// Returns the index of the class that serves `size` bytes, from 1 to [`MAX_SLAB_SIZE`].
///
/// Classes are powers of two, and 96 and 192 where small ones are: see `__kmalloc_index()`.
#[inline(always)]
const fn class(size: usize) -> usize {
    if size <= MIN_SIZE {
        return bindings::KMALLOC_SHIFT_LOW as usize;
    }
    if MIN_SIZE <= 32 && size > 64 && size <= 96 {
        return 1;
    }
    if MIN_SIZE <= 64 && size > 128 && size <= 192 {
        return 2;
    }
    (usize::BITS - (size - 1).leading_zeros()) as usize
}

/// Returns the kind of class that serves `gfp`: see `kmalloc_type()`.
#[inline(always)]
const fn class_type(gfp: Gfp) -> usize {
    let gfp = gfp.as_raw();
    (if cfg!(CONFIG_ZONE_DMA) && gfp & bindings::__GFP_DMA != 0 {
        bindings::kmalloc_cache_type_KMALLOC_DMA
    } else if gfp & bindings::__GFP_RECLAIMABLE != 0 {
        bindings::kmalloc_cache_type_KMALLOC_RECLAIM
    } else if cfg!(CONFIG_MEMCG) && gfp & bindings::__GFP_ACCOUNT != 0 {
        bindings::kmalloc_cache_type_KMALLOC_CGROUP
    } else {
        bindings::kmalloc_cache_type_KMALLOC_NORMAL
    }) as usize
}

/// Configurations in which C does more than choose a class: it hashes the call's place, or books
/// the block for the kernel's own profiler. It is left to C then.
const BOOKED_BY_C: bool = cfg!(CONFIG_KMALLOC_PARTITION_CACHES) || cfg!(CONFIG_MEM_ALLOC_PROFILING);

/// `kmalloc_node(size, gfp, node)`, with its choice of the class made when compiling wherever the
/// size and the flags are known then: C gets that from an inline function, which Rust cannot call.
///
/// `size` must not be 0, and at most [`MAX_SIZE`].
#[inline(always)]
fn kmalloc(size: usize, gfp: Gfp, node: NumaNode) -> Option<NonNull<u8>> {
    let gfp = gfp.without_zone();
    let any_node = node == NumaNode::NO_NODE;
    let node = gfp::node_id(node)?;

    // SAFETY: All of these take any flags, any size from 1 to `MAX_SIZE`, and any node that is
    // online. The classes are made at boot and never change; `class` and `class_type` are in bounds
    // for such sizes.
    let ptr = unsafe {
        if BOOKED_BY_C || !any_node {
            bindings::kalloc_helper_kmalloc_node(size, gfp.as_raw(), node)
        } else if size <= MAX_SLAB_SIZE {
            bindings::__kmalloc_cache_noprof(
                bindings::kmalloc_caches[class_type(gfp)][class(size)],
                gfp.as_raw(),
                size,
            )
        } else {
            bindings::__kmalloc_large_noprof(size, gfp.as_raw())
        }
    };
    NonNull::new(ptr.cast())
}

// SAFETY: kmalloc memory stays until it is freed. Its alignment is the largest power of two that
// divides the size, which is a multiple of the layout's alignment; krealloc is told it.
unsafe impl Source for Contiguous {
    const MIN_ALIGN: usize = bindings::ARCH_KMALLOC_MINALIGN;

    #[inline(always)]
    fn alloc(layout: Layout, gfp: Gfp, node: NumaNode) -> Option<NonNull<u8>> {
        if layout.size() > MAX_SIZE {
            return None;
        }
        kmalloc(layout.size(), gfp, node)
    }

    // With these caches, C's function takes another parameter.
    #[cfg(not(CONFIG_KMALLOC_PARTITION_CACHES))]
    #[inline(always)]
    fn alloc_any(layout: Layout, gfp: Gfp, node: NumaNode) -> Option<NonNull<u8>> {
        if BOOKED_BY_C || node != NumaNode::NO_NODE || layout.size() > MAX_SIZE {
            return Self::alloc(layout, gfp, node);
        }
        // The table of classes is C's own.
        // SAFETY: Takes any flags, and any size from 1 to `MAX_SIZE`.
        let ptr = unsafe { bindings::__kmalloc_noprof(layout.size(), gfp.without_zone().as_raw()) };
        NonNull::new(ptr.cast())
    }

    #[inline]
    unsafe fn realloc(
        ptr: NonNull<u8>,
        old_size: usize,
        layout: Layout,
        gfp: Gfp,
        node: NumaNode,
    ) -> Option<NonNull<u8>> {
        if layout.size() > MAX_SIZE {
            return None;
        }
        if layout.size() < old_size {
            // SAFETY: By the requirements of this function.
            return unsafe { shrink(ptr, old_size, layout, gfp, node) };
        }
        // SAFETY: By the requirements of this function.
        unsafe { krealloc(ptr, layout, gfp, node) }
    }

    #[inline(always)]
    unsafe fn free(ptr: NonNull<u8>) {
        // SAFETY: By the requirements of this function.
        unsafe { bindings::kfree(ptr.as_ptr().cast()) };
    }

    #[inline(always)]
    fn footprint(_: NonNull<u8>, size: usize) -> usize {
        class_size(size)
    }
}

/// Resizes a block to fewer bytes. Out of the way of loops that grow.
///
/// # Safety
///
/// As for [`Source::realloc`]; the size is less than `old_size`.
#[cold]
unsafe fn shrink(
    ptr: NonNull<u8>,
    old_size: usize,
    layout: Layout,
    gfp: Gfp,
    node: NumaNode,
) -> Option<NonNull<u8>> {
    if class_size(layout.size()) == class_size(old_size) {
        // SAFETY: By the requirements of this function.
        return unsafe { krealloc(ptr, layout, gfp, node) };
    }
    // krealloc would leave the block where it is, with all its memory.
    let new = kmalloc(layout.size(), gfp, node)?;
    // SAFETY: Both blocks have that many bytes, the new one being the smaller. `ptr` is a live block
    // by the requirements of this function.
    unsafe {
        ptr.copy_to_nonoverlapping(new, layout.size());
        bindings::kfree(ptr.as_ptr().cast());
    }
    Some(new)
}

/// # Safety
///
/// `ptr` must be a live kmalloc block; the size of `layout` must not be 0, nor too large.
#[inline]
unsafe fn krealloc(
    ptr: NonNull<u8>,
    layout: Layout,
    gfp: Gfp,
    node: NumaNode,
) -> Option<NonNull<u8>> {
    let node = gfp::node_id(node)?;
    // SAFETY: By the requirements of this function; the node is online.
    NonNull::new(unsafe {
        bindings::krealloc_node_align(
            ptr.as_ptr().cast(),
            layout.size(),
            layout.align() as c_ulong,
            gfp.without_zone().as_raw(),
            node,
        )
        .cast()
    })
}

// SAFETY: kvmalloc memory stays until it is freed, and is aligned as asked.
unsafe impl Source for Either {
    const MIN_ALIGN: usize = bindings::ARCH_KMALLOC_MINALIGN;

    #[inline]
    fn alloc(layout: Layout, gfp: Gfp, node: NumaNode) -> Option<NonNull<u8>> {
        // SAFETY: NULL asks for a new block.
        unsafe { kvrealloc(core::ptr::null(), layout, gfp, node) }
    }

    #[inline]
    unsafe fn realloc(
        ptr: NonNull<u8>,
        old_size: usize,
        layout: Layout,
        gfp: Gfp,
        node: NumaNode,
    ) -> Option<NonNull<u8>> {
        if !is_vmalloc(ptr) && layout.size() < old_size {
            // SAFETY: By the requirements of this function; a kvmalloc block outside of the
            // vmalloc area is a kmalloc block, and a smaller kmalloc block is a kvmalloc block.
            return unsafe { Contiguous::realloc(ptr, old_size, layout, gfp, node) };
        }
        if is_vmalloc(ptr) && layout.size() <= max_kvmalloc_size() {
            // SAFETY: By the requirements of this function; such a block is a vmalloc block.
            return unsafe { vmalloc::Mapped::realloc(ptr, old_size, layout, gfp, node) };
        }
        // SAFETY: By the requirements of this function.
        unsafe { kvrealloc(ptr.as_ptr().cast_const(), layout, gfp, node) }
    }

    #[inline]
    unsafe fn free(ptr: NonNull<u8>) {
        if is_vmalloc(ptr) {
            // SAFETY: By the requirements of this function; such a block is a vmalloc block, of more
            // than a page, or resized as one.
            unsafe { vmalloc::free(ptr) };
        } else {
            // SAFETY: By the requirements of this function; other blocks are kmalloc's.
            unsafe { bindings::kfree(ptr.as_ptr().cast()) };
        }
    }

    fn refuses(layout: Layout, gfp: Gfp, node: NumaNode) -> bool {
        let interrupt = layout.size() > PAGE_SIZE && !context::in_task();
        // Of vmalloc blocks, which are refused then.
        let sleeps = gfp.may_sleep() && context::is_atomic();
        let misplaced = interrupt || sleeps;
        layout.size() > max_kvmalloc_size() || misplaced || gfp::node_id(node).is_none()
    }

    #[inline]
    fn footprint(ptr: NonNull<u8>, size: usize) -> usize {
        if is_vmalloc(ptr) {
            size.next_multiple_of(PAGE_SIZE)
        } else {
            class_size(size)
        }
    }
}

/// The largest block that kvmalloc has.
#[inline]
fn max_kvmalloc_size() -> usize {
    Either::MAX_SIZE.min(vmalloc::max_size())
}

#[inline]
fn is_vmalloc(ptr: NonNull<u8>) -> bool {
    // SAFETY: Takes any address.
    unsafe { bindings::is_vmalloc_addr(ptr.as_ptr().cast()) }
}

/// # Safety
///
/// - `ptr` must be NULL or a live kvmalloc block, which is aligned to `layout.align()`.
/// - The size of `layout` must not be 0, and a multiple of its alignment.
#[inline]
unsafe fn kvrealloc(
    ptr: *const u8,
    layout: Layout,
    gfp: Gfp,
    node: NumaNode,
) -> Option<NonNull<u8>> {
    let size = layout.size();
    // C warns where this fails.
    if size > max_kvmalloc_size() {
        return None;
    }
    // Where kmalloc has no memory, C would go on to vmalloc, which is not for interrupts.
    if size > PAGE_SIZE && !context::in_task() {
        return None;
    }
    let node = gfp::node_id(node)?;
    // SAFETY: By the requirements of this function; the node is online.
    NonNull::new(unsafe {
        bindings::kvrealloc_node_align(
            ptr.cast(),
            size,
            layout.align() as c_ulong,
            gfp.without_zone().as_raw(),
            node,
        )
        .cast()
    })
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
pub type Kmalloc<S> = Counted<Contiguous, S>;
/// The kvmalloc allocator, counting at site `S`: kmalloc if there is a block, else vmalloc.
///
/// # Examples
///
/// ```
/// use kalloc::{kmalloc::MAX_SIZE, Array, KVmalloc};
///
/// kalloc::sites! {
///     Tables: kvmalloc([u8]), "doc_kvmalloc";
/// }
///
/// // More than kmalloc has.
/// let table = Array::<u8, KVmalloc<Tables>>::zeroed(MAX_SIZE + 1, GFP_KERNEL)?;
/// assert_eq!(table.last(), Some(&0));
/// # Ok::<(), Error>(())
/// ```
pub type KVmalloc<S> = Counted<Either, S>;

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
/// A `T` in kvmalloc memory.
///
/// # Examples
///
/// ```
/// use kalloc::KVBox;
///
/// kalloc::sites! {
///     Bitmaps: kvmalloc([u64; 1 << 16]), "doc_kvbox";
/// }
///
/// // Zeroed where it is: half a megabyte would not fit on the stack.
/// let bitmap = KVBox::<[u64; 1 << 16], Bitmaps>::zeroed(GFP_KERNEL)?;
/// assert_eq!(bitmap.last(), Some(&0));
/// # Ok::<(), Error>(())
/// ```
pub type KVBox<T, S> = Box<T, KVmalloc<S>>;
/// A growing array in kvmalloc memory.
///
/// # Examples
///
/// ```
/// use kalloc::KVVec;
///
/// kalloc::sites! {
///     Lists: kvmalloc([u64]), "doc_kvvec";
/// }
///
/// let mut list = KVVec::<u64, Lists>::with_capacity(100_000, GFP_KERNEL)?;
/// list.push(7, GFP_KERNEL)?;
/// assert_eq!(list.first(), Some(&7));
/// # Ok::<(), Error>(())
/// ```
pub type KVVec<T, S> = Vec<T, KVmalloc<S>>;
