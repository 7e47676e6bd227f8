// SPDX-License-Identifier: GPL-2.0

//! What a site's memory looks like, in slabinfo's words.

use crate::stats::Totals;
use kernel::page::PAGE_SIZE;

/// What the geometry columns of slabinfo say of a site.
///
/// # Examples
///
/// ```
/// use kalloc::{family, site::Family, stats::Totals, Tag};
///
/// kalloc::sites! {
///     Nodes: kmalloc([u64; 5]), "doc_shape";
/// }
///
/// // Were there ten nodes:
/// let live = Totals {
///     allocs: 10,
///     ..Totals::default()
/// };
/// let shape = family::kmalloc::shape(Nodes::site(), &live);
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
    /// For objects of one size that come from slabs.
    pub(crate) fn packed(geometry: [u32; 3], live: u64) -> Shape {
        let [object_size, objects_per_slab, pages_per_slab] = geometry;
        Shape {
            object_size,
            objects_per_slab,
            pages_per_slab,
            slabs: match objects_per_slab {
                0 => live,
                n => live.div_ceil(n.into()),
            },
        }
    }

    /// For objects of one size that are `bytes` in whole pages each.
    pub(crate) fn pages(bytes: usize, live: u64) -> Shape {
        // What does not fit the column is shown as the most that does.
        let [object_size, pages_per_slab] =
            [bytes, bytes / PAGE_SIZE].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        Shape {
            object_size,
            objects_per_slab: 1,
            pages_per_slab,
            slabs: live,
        }
    }

    /// For blocks of various sizes: the mean size, and as many single pages as hold them all.
    pub(crate) fn mixed(live: &Totals) -> Shape {
        let page = PAGE_SIZE as u64;
        let bytes = live.live_allocated;
        let mean = match live.live() {
            0 => bytes,
            n => bytes.div_ceil(n),
        };
        Shape {
            object_size: u32::try_from(mean).unwrap_or(u32::MAX),
            // CAST: At most `PAGE_SIZE`.
            objects_per_slab: page.checked_div(mean).map_or(page, |n| n.max(1)) as u32,
            pages_per_slab: 1,
            slabs: bytes.div_ceil(page),
        }
    }
}
