// SPDX-License-Identifier: GPL-2.0-only

//! The areas of all other architectures.

use super::{
    Area,
    DIRECT_MAP,
    VMALLOC, //
};
use crate::sys::bindings;

/// Returns the areas that all architectures have, in ascending order.
pub(super) fn known() -> impl Iterator<Item = Area> {
    // SAFETY: All of these read values that are set at boot. The exception is `high_memory`, one
    // word that grows when memory is hot-plugged.
    let [mut direct, mut vmalloc, user] = unsafe {
        [
            Area::new(
                DIRECT_MAP,
                bindings::kalloc_helper_page_offset(),
                bindings::high_memory.addr(),
            ),
            Area::new(
                VMALLOC,
                bindings::kalloc_helper_vmalloc_start(),
                bindings::kalloc_helper_vmalloc_end(),
            ),
            // In User-Mode Linux, user space has an address space of its own.
            if cfg!(CONFIG_UML) {
                None
            } else {
                Area::new("user", 0, bindings::kalloc_helper_task_size_max())
            },
        ]
    };
    if direct.map(|area| area.start) > vmalloc.map(|area| area.start) {
        core::mem::swap(&mut direct, &mut vmalloc);
    }
    [user, direct, vmalloc].into_iter().flatten()
}
