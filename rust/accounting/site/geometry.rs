// SPDX-License-Identifier: GPL-2.0-only

//! The geometry of a site's memory, in the terms of slabinfo.

use crate::accounting::stats::Totals;
use core::num::NonZero;
use kernel::page::PAGE_SIZE;

/// The geometry columns of slabinfo for a site.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     accounting::{family, site::Family, stats::Totals},
///     Tag,
/// };
///
/// kalloc::sites! {
///     Nodes: kmalloc([u64; 5]), "doc_shape";
/// }
///
/// // Assume ten live nodes:
/// let footprint = family::Kmalloc::unit_footprint(Nodes::site());
/// let live = Totals {
///     allocs: 10,
///     live_bytes: 400,
///     live_allocated: 10 * footprint as u64,
///     ..Totals::default()
/// };
/// let shape = family::Kmalloc::shape(Nodes::site(), &live);
/// assert!(shape.object_size >= 64 && shape.pages_per_slab >= 1);
/// assert!(shape.slabs * u64::from(shape.objects_per_slab) >= 10);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Bytes that an object takes.
    pub object_size: u32,
    /// Objects in a slab.
    pub objects_per_slab: u32,
    /// Pages in a slab.
    pub pages_per_slab: u32,
    /// Slabs that the live objects need at least.
    pub slabs: u64,
}

impl Shape {
    /// The largest number of pages in a slab: readers parse it as a signed 32-bit integer.
    const MAX_PAGES: u64 = i32::MAX as u64;

    /// Describes objects of one size that are allocated from slabs and take `footprint` bytes each.
    ///
    /// A site with blocks of other sizes is described as [`mixed`](Self::mixed).
    pub(crate) fn packed(geometry: [u32; 3], footprint: usize, live: &Totals) -> Shape {
        let count = live.live();
        // CAST: `usize` has 64 bits.
        if count.checked_mul(footprint as u64) != Some(live.live_allocated) {
            return Shape::mixed(live);
        }
        let [object_size, objects_per_slab, pages_per_slab] = geometry;
        Shape {
            object_size,
            objects_per_slab,
            pages_per_slab,
            slabs: match objects_per_slab {
                0 => count,
                n => count.div_ceil(n.into()),
            },
        }
    }

    /// Describes objects of one size that take whole pages, `bytes` each.
    pub(crate) fn pages(bytes: usize, live: &Totals) -> Shape {
        match u32::try_from(bytes) {
            // CAST: The number of pages is at most the number of bytes.
            Ok(size) => Shape::packed([size, 1, (bytes / PAGE_SIZE) as u32], bytes, live),
            // Such an object size does not fit into the column.
            Err(_) => Shape::mixed(live),
        }
    }

    /// Describes blocks of various sizes by their mean size, rounded down.
    ///
    /// If the mean size is a whole number of pages, a slab is one object. If a page is a whole
    /// number of objects, a slab is one page. Otherwise one slab holds all pages of the blocks,
    /// with as many objects as fit. The pages, and the objects times their size, both equal the
    /// memory of the blocks, and no object is larger than its slab.
    pub(crate) fn mixed(live: &Totals) -> Shape {
        // CAST: The size of a page fits into 32 bits.
        let page = PAGE_SIZE as u64;
        let (count, bytes) = (live.live(), live.live_allocated);
        let Some(mean) = bytes.checked_div(count) else {
            return Shape {
                objects_per_slab: 1,
                pages_per_slab: 1,
                ..Shape::default()
            };
        };
        // A non-zero divisor needs no panic path, which objtool would report as a missing return.
        let at_least_one = |n: u64| NonZero::new(n).unwrap_or(NonZero::<u64>::MIN);
        let object_size = at_least_one(mean.min(u32::MAX.into()));
        let is_even = object_size.get().checked_mul(count) == Some(bytes)
            && (object_size.get() % page == 0 || page % object_size == 0);
        let pages = bytes.div_ceil(page);
        let pages_per_slab = at_least_one(if is_even {
            object_size.get().div_ceil(page)
        } else {
            // This is the number of all pages, up to 8 TiB.
            pages.min(Self::MAX_PAGES)
        });
        // OVERFLOW: A slab has fewer than 2^31 pages.
        let objects_per_slab = pages_per_slab.get() * page / object_size;
        let slabs = pages.saturating_add(pages_per_slab.get() - 1) / pages_per_slab;
        let [object_size, objects_per_slab, pages_per_slab] =
            [object_size.get(), objects_per_slab, pages_per_slab.get()]
                .map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        Shape {
            object_size,
            objects_per_slab,
            pages_per_slab,
            slabs,
        }
    }
}
