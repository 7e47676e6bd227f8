// SPDX-License-Identifier: GPL-2.0-only

//! The allocator families as types.
//!
//! The module of each allocator implements [`Family`](crate::accounting::site::Family) for its
//! type. [`sites!`](crate::sites) identifies a family by the word in its row of the table:
//!
//! | type | word | memory |
//! |---|---|---|
//! | [`Kmalloc`] | `kmalloc` | [`alloc::kmalloc`](crate::alloc::kmalloc) |
//! | [`KVmalloc`] | `kvmalloc` | [`alloc::kvmalloc`](crate::alloc::kvmalloc) |
//! | [`Vmalloc`] | `vmalloc` | [`alloc::vmalloc`](crate::alloc::vmalloc) |
//! | [`SlabCache`] | `cache` | [`slab`](crate::slab) |
//! | [`PageAlloc`] | `pages` | [`page`](crate::page) |

/// The family of [kmalloc](crate::alloc::kmalloc).
///
/// # Examples
///
/// ```
/// use kalloc::{accounting::family, Array, Kmalloc, Tag};
///
/// // The caller selects the site.
/// fn table<S: Tag<Family = family::Kmalloc>>(len: usize) -> Result<Array<u64, Kmalloc<S>>> {
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
pub struct Kmalloc;

/// The family of [kvmalloc](crate::alloc::kvmalloc).
///
/// # Examples
///
/// ```
/// use kalloc::{accounting::family, Array, KVmalloc, Tag};
///
/// // The caller selects the site.
/// fn table<S: Tag<Family = family::KVmalloc>>(len: usize) -> Result<Array<u64, KVmalloc<S>>> {
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
pub struct KVmalloc;

/// The family of [vmalloc](crate::alloc::vmalloc).
///
/// # Examples
///
/// ```
/// use kalloc::{accounting::family, Array, Tag, Vmalloc};
///
/// // The caller selects the site.
/// fn table<S: Tag<Family = family::Vmalloc>>(len: usize) -> Result<Array<u64, Vmalloc<S>>> {
///     Ok(Array::zeroed(len, GFP_KERNEL)?)
/// }
///
/// kalloc::sites! {
///     Tables: vmalloc([u64]), "doc_mapped_family";
/// }
///
/// assert_eq!(table::<Tables>(100_000)?.len(), 100_000);
/// # Ok::<(), Error>(())
/// ```
pub struct Vmalloc;

/// The family of [page blocks](crate::page).
///
/// # Examples
///
/// ```
/// use kalloc::{accounting::family, Order, Pages, Tag};
///
/// // The caller selects the site.
/// fn ring<S: Tag<Family = family::PageAlloc>>() -> Result<Pages<S>> {
///     Ok(Pages::zeroed(Order::of::<1>(), GFP_KERNEL)?)
/// }
///
/// kalloc::sites! {
///     Rings: pages, "doc_buddy";
/// }
///
/// assert_eq!(ring::<Rings>()?.order(), Order::of::<1>());
/// # Ok::<(), Error>(())
/// ```
pub struct PageAlloc;

/// The family of [slab caches](crate::slab).
///
/// # Examples
///
/// ```
/// use kalloc::{accounting::family, slab::Options, KmemCache, Tag};
///
/// /// Creates a cache at a site of the caller's choice, with objects aligned to cache lines.
/// fn aligned<S: Tag<Family = family::SlabCache, Object: Sized>>() -> Result<KmemCache<S>> {
///     KmemCache::new(Options::new().hwcache_align())
/// }
///
/// kalloc::sites! {
///     Nodes: cache([u64; 7]), "doc_slab";
/// }
///
/// let cache = aligned::<Nodes>()?;
/// let node = cache.alloc([0; 7], GFP_KERNEL)?;
/// assert_eq!(node.as_ptr().addr() % 64, 0);
/// # Ok::<(), Error>(())
/// ```
pub struct SlabCache;
