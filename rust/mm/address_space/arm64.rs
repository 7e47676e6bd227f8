// SPDX-License-Identifier: GPL-2.0-only

//! The areas of arm64, as in `Documentation/arch/arm64/memory.rst`.
//!
//! The kernel image is in the vmalloc area, at its start unless its location is randomized. Modules
//! must be within reach of the image, and may then also be in the vmalloc area.
//!
//! C header: [`arch/arm64/include/asm/memory.h`](srctree/arch/arm64/include/asm/memory.h)

use super::{
    Area,
    DIRECT_MAP,
    VMALLOC, //
};
use crate::sys::bindings;

/// Returns the named areas in ascending order.
pub(super) fn known() -> impl Iterator<Item = Area> {
    // SAFETY: All of these read values that are set at boot. The exception is `high_memory`, one
    // word that grows when memory is hot-plugged.
    let (user, direct, direct_end, start, end) = unsafe {
        (
            bindings::kalloc_helper_task_size_max(),
            bindings::kalloc_helper_page_offset(),
            bindings::high_memory,
            bindings::kalloc_helper_vmalloc_start(),
            bindings::kalloc_helper_vmalloc_end(),
        )
    };
    #[cfg(CONFIG_SPARSEMEM_VMEMMAP)]
    // SAFETY: This is the page of the last byte in the direct map.
    let last = unsafe { bindings::kalloc_helper_virt_to_page(direct_end.wrapping_byte_sub(1)) };
    // CAST: The constant is an address as a negative number.
    let at = |below: isize| below as usize;
    [
        Area::new("user", 0, user),
        Area::new("noncanonical", user, direct),
        Area::new(DIRECT_MAP, direct, direct_end.addr()),
        #[cfg(any(CONFIG_KASAN_GENERIC, CONFIG_KASAN_SW_TAGS))]
        // SAFETY: The helpers only read values that are set at boot.
        unsafe {
            Area::new(
                "kasan_shadow",
                bindings::kalloc_helper_kasan_start(),
                bindings::kalloc_helper_kasan_end(),
            )
        },
        Area::new(
            "modules",
            at(bindings::AREA_MODULES),
            at(bindings::AREA_MODULES_END),
        ),
        Area::new(VMALLOC, start, end),
        #[cfg(CONFIG_SPARSEMEM_VMEMMAP)]
        Area::new(
            "vmemmap",
            at(bindings::AREA_VMEMMAP),
            last.wrapping_add(1).addr(),
        ),
        Area::new(
            "pci_io",
            at(bindings::AREA_PCI_IO),
            at(bindings::AREA_PCI_IO_END),
        ),
        Area::new(
            "fixmap",
            at(bindings::AREA_FIXMAP),
            at(bindings::AREA_FIXMAP_END),
        ),
    ]
    .into_iter()
    .flatten()
}
