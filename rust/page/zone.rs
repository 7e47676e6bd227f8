// SPDX-License-Identifier: GPL-2.0-only

//! Zones of physical memory.
//!
//! C header: [`include/linux/mmzone.h`](srctree/include/linux/mmzone.h)

use crate::sys::{
    bindings,
    gfp::Gfp, //
};
use kernel::ffi::c_uint;

/// A zone of physical memory (`enum zone_type`).
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
/// // All of it is below 4 GiB, where old devices reach it, if the kernel separates such memory.
/// assert!(buffer.zone() == Zone::Normal || buffer.phys() < 1 << 32);
/// pr_info!("in zone {}\n", buffer.zone().name());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Zone {
    /// The zone for devices that reach little memory: below 16 MiB on x86.
    Dma,
    /// The zone below 4 GiB.
    Dma32,
    /// The zone of ordinary memory, in the direct map.
    Normal,
    /// The zone outside the direct map.
    HighMem,
    /// The zone of movable pages.
    Movable,
    /// The zone of memory on devices.
    Device,
}

impl Zone {
    /// Returns the zone of a page.
    ///
    /// # Safety
    ///
    /// `page` must be a live page.
    #[inline]
    pub(crate) unsafe fn of(page: *const bindings::page) -> Zone {
        // SAFETY: The caller guarantees that the page is live.
        Zone::numbered(unsafe { bindings::kalloc_helper_page_zonenum(page) })
    }

    /// Returns the zones that memory for `gfp` may come from, the lowest first.
    ///
    /// These are the zones of the machine, up to the highest one that the flags allow. Free memory
    /// determines the zone of each page. A memory policy or a cpuset of the caller may leave fewer
    /// zones.
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
    /// // These flags request memory in the direct map that need not be movable.
    /// let usual = |zone| zone != Zone::HighMem && zone != Zone::Movable;
    /// assert!(Zone::of_flags(Gfp::KERNEL).all(usual));
    /// // A kernel may have no separate zone for old devices.
    /// let low = |zone| zone != Zone::Normal || !cfg!(CONFIG_ZONE_DMA32);
    /// assert!(Zone::of_flags(Gfp::KERNEL | Gfp::DMA32).all(low));
    /// ```
    pub fn of_flags(gfp: impl Into<Gfp>) -> impl Iterator<Item = Zone> {
        let gfp = gfp.into().with_one_zone();
        // SAFETY: The flags have at most one zone. The kernel makes the list that the helper reads
        // at boot.
        let zones = unsafe { bindings::kalloc_helper_zones(gfp.as_raw()) };
        (0..c_uint::BITS)
            .filter(move |number| zones >> number & 1 != 0)
            .map(Zone::numbered)
    }

    /// Returns the zone of a number (`enum zone_type`).
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

    /// Returns the zone's name, as in `/proc/zoneinfo`.
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
