// SPDX-License-Identifier: GPL-2.0-only

//! The areas of x86_64, as in `Documentation/arch/x86/x86_64/mm.rst`.
//!
//! C header:
//! [`arch/x86/include/asm/pgtable_64_types.h`](srctree/arch/x86/include/asm/pgtable_64_types.h)

use super::{
    Area,
    DIRECT_MAP,
    VMALLOC, //
};
use crate::sys::bindings;
use kernel::page::PAGE_SIZE;

/// Returns the named areas in ascending order.
pub(super) fn known() -> impl Iterator<Item = Area> {
    // SAFETY: All of these read values that are set at boot. The exception is `high_memory`, one
    // word that grows when memory is hot-plugged.
    let (user, guard, entry, direct, direct_end, start, end, map) = unsafe {
        (
            bindings::kalloc_helper_task_size_max(),
            bindings::kalloc_helper_guard_hole(),
            bindings::kalloc_helper_pgdir_size(),
            bindings::kalloc_helper_page_offset(),
            bindings::high_memory.addr(),
            bindings::kalloc_helper_vmalloc_start(),
            bindings::kalloc_helper_vmalloc_end(),
            bindings::vmemmap_base,
        )
    };
    // CAST: The constant is an address as a negative number.
    let at = |below: isize| below as usize;
    let map_end = map + (direct_end - direct) / PAGE_SIZE * size_of::<bindings::page>();
    [
        Area::new("user", 0, user),
        Area::new("user_guard", user, user + PAGE_SIZE),
        Area::new("noncanonical", user + PAGE_SIZE, guard),
        // The hole is reserved for hypervisors; the next entry of the page table is for the LDT.
        Area::new("guard_hole", guard, guard + 16 * entry),
        #[cfg(CONFIG_MODIFY_LDT_SYSCALL)]
        Area::new("ldt_remap", guard + 16 * entry, guard + 17 * entry),
        Area::new(DIRECT_MAP, direct, direct_end),
        Area::new(VMALLOC, start, end),
        Area::new("vmemmap", map, map_end),
        #[cfg(CONFIG_KASAN)]
        // SAFETY: The helpers only read values that are set at boot.
        unsafe {
            Area::new(
                "kasan_shadow",
                bindings::kalloc_helper_kasan_start(),
                bindings::kalloc_helper_kasan_end(),
            )
        },
        Area::new(
            "cpu_entry",
            at(bindings::AREA_CPU_ENTRY),
            at(bindings::AREA_CPU_ENTRY + bindings::P4D_ENTRY_SIZE),
        ),
        #[cfg(CONFIG_X86_ESPFIX64)]
        Area::new(
            "espfix",
            at(bindings::AREA_ESPFIX),
            at(bindings::AREA_ESPFIX + bindings::P4D_ENTRY_SIZE),
        ),
        #[cfg(CONFIG_EFI)]
        Area::new(
            "efi",
            at(bindings::AREA_EFI_START),
            at(bindings::AREA_EFI_END),
        ),
        Area::new(
            "kernel_text",
            at(bindings::AREA_KERNEL),
            at(bindings::AREA_MODULES),
        ),
        Area::new(
            "modules",
            at(bindings::AREA_MODULES),
            at(bindings::AREA_MODULES_END),
        ),
        Area::new(
            "fixmap",
            at(bindings::AREA_FIXMAP),
            at(bindings::AREA_FIXMAP_END),
        ),
        #[cfg(CONFIG_X86_VSYSCALL_EMULATION)]
        Area::new(
            "vsyscall",
            at(bindings::AREA_VSYSCALL),
            at(bindings::AREA_VSYSCALL) + PAGE_SIZE,
        ),
    ]
    .into_iter()
    .flatten()
}
