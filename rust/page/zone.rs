// SPDX-License-Identifier: GPL-2.0

//! Zones of physical memory.
//!
//! C header: [`include/linux/mmzone.h`](srctree/include/linux/mmzone.h)

use crate::sys::{
    bindings,
    gfp::Gfp, //
};
use kernel::ffi::c_uint;

/// A zone of physical memory, of those that the kernel has.
///
/// # Examples
///
/// ```
/// use kalloc::{Gfp, Order, Pages, Zone};
///
/// kalloc::sites! {
///     Buffers: pages, "doc_zone";
/// }
///
/// let buffer = Pages::<Buffers>::zeroed(Order::ZERO, Gfp::KERNEL | Gfp::DMA32)?;
/// // All of it is below 4 GiB, where old devices reach it, if the kernel tells such memory apart.
/// assert!(buffer.zone() == Zone::Normal || buffer.phys() < 1 << 32);
/// pr_info!("in zone {}\n", buffer.zone().name());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Zone {
    /// For devices that reach little memory: below 16 MiB on x86.
    Dma,
    /// Below 4 GiB.
    Dma32,
    /// In the direct mapping.
    Normal,
    /// Not in the direct mapping.
    HighMem,
    /// For pages that can be moved.
    Movable,
    /// Memory of devices.
    Device,
}

impl Zone {
    /// The zone of a page.
    ///
    /// # Safety
    ///
    /// `page` must be a live page.
    #[inline]
    pub(crate) unsafe fn of(page: *const bindings::page) -> Zone {
        // SAFETY: By the requirement of this function.
        Zone::numbered(unsafe { bindings::kalloc_helper_page_zonenum(page) })
    }

    /// Returns the zones that memory for `gfp` may come from, the lowest first: those of the
    /// machine up to the highest that the flags allow.
    ///
    /// The zone that a page then comes from depends on what is free. A memory policy or a cpuset of
    /// the caller's may leave fewer.
    ///
    /// # Context
    ///
    /// Any.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::{Gfp, Zone};
    ///
    /// // These flags ask for memory in the direct mapping that need not be movable.
    /// let usual = |zone| zone != Zone::HighMem && zone != Zone::Movable;
    /// assert!(Zone::of_flags(Gfp::KERNEL).all(usual));
    /// // A kernel may have no zone of its own for old devices.
    /// let low = |zone| zone != Zone::Normal || !cfg!(CONFIG_ZONE_DMA32);
    /// assert!(Zone::of_flags(Gfp::KERNEL | Gfp::DMA32).all(low));
    /// ```
    pub fn of_flags(gfp: impl Into<Gfp>) -> impl Iterator<Item = Zone> {
        let gfp = gfp.into().with_one_zone();
        // SAFETY: Takes flags with at most one zone. The list that it reads is made at boot.
        let zones = unsafe { bindings::kalloc_helper_zones(gfp.as_raw()) };
        (0..c_uint::BITS)
            .filter(move |number| zones >> number & 1 != 0)
            .map(Zone::numbered)
    }

    /// The zone of this number (`enum zone_type`).
    fn numbered(number: c_uint) -> Zone {
        match number {
            #[cfg(CONFIG_ZONE_DMA)]
            bindings::zone_type_ZONE_DMA => Zone::Dma,
            #[cfg(CONFIG_ZONE_DMA32)]
            bindings::zone_type_ZONE_DMA32 => Zone::Dma32,
            #[cfg(CONFIG_HIGHMEM)]
            bindings::zone_type_ZONE_HIGHMEM => Zone::HighMem,
            bindings::zone_type_ZONE_MOVABLE => Zone::Movable,
            #[cfg(CONFIG_ZONE_DEVICE)]
            bindings::zone_type_ZONE_DEVICE => Zone::Device,
            _ => Zone::Normal,
        }
    }

    /// The name, as in `/proc/zoneinfo`.
    pub const fn name(self) -> &'static str {
        match self {
            Zone::Dma => "DMA",
            Zone::Dma32 => "DMA32",
            Zone::Normal => "Normal",
            Zone::HighMem => "HighMem",
            Zone::Movable => "Movable",
            Zone::Device => "Device",
        }
    }
}
