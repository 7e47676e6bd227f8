// SPDX-License-Identifier: GPL-2.0-only

use kernel::prelude::*;

#[kunit_tests(kalloc_address_space)]
mod tests {
    use super::*;
    use crate::page_info::{
        Bytes,
        Mapped, //
    };
    use kalloc::{
        mm::address_space::{
            area,
            area_of,
            areas,
            paging_levels, //
            DIRECT_MAP,
            HOLE,
            VMALLOC,
        }, //
        Array,
        Kmalloc,
        Vmalloc,
    };
    use kernel::page::PAGE_SIZE;

    #[test]
    fn areas_cover_address_space() {
        let mut next = Some(0);
        for area in areas() {
            assert!(next == Some(area.start()));
            assert!(area.start() <= area.last());
            assert!(area.size() == area.last() - area.start() + 1);
            assert!(area.contains(area.start()) && area.contains(area.last()));
            assert!(area_of(area.start()) == area && area_of(area.last()) == area);
            next = area.last().checked_add(1);
        }
        assert!(next.is_none());
    }

    #[test]
    fn area_names_unique() {
        let named = || areas().filter(|area| area.name() != HOLE);
        for this in named() {
            assert!(area(this.name()) == Some(this));
            let same = named().filter(|other| other.name() == this.name());
            assert!(same.count() == 1);
        }
        assert!(area("nonsense").is_none());
    }

    #[test]
    fn user_area_of_paging_levels() -> Result {
        if cfg!(CONFIG_UML) {
            crate::case::skip!(c"user space has an address space of its own");
        }
        let user = area("user").ok_or(ENOENT)?;
        if cfg!(not(CONFIG_X86_64)) {
            // The number of levels covers the bits up to the last level, which may be used in part.
            let (page, level) = (PAGE_SIZE.ilog2(), (PAGE_SIZE / 8).ilog2());
            let bits = user.size().ilog2();
            assert!(user.start() == 0 && user.size() == 1 << bits);
            assert!((bits - page).div_ceil(level) == paging_levels());
            return Ok(());
        }
        let bits = match paging_levels() {
            4 => 47,
            5 => 56,
            _ => return Err(EINVAL),
        };
        // One page less, so that no system call instruction is the last one in user space.
        assert!(user.start() == 0 && user.size() == (1 << bits) - PAGE_SIZE);
        Ok(())
    }

    #[test]
    fn area_of_blocks_and_code() -> Result {
        let block = Array::<u8, Kmalloc<Bytes>>::zeroed(100, GFP_KERNEL)?;
        assert!(area_of(block.as_ptr().addr()).name() == DIRECT_MAP);
        let block = Array::<u8, Vmalloc<Mapped>>::zeroed(100, GFP_KERNEL)?;
        assert!(area_of(block.as_ptr().addr()).name() == VMALLOC);
        let code: fn() = area_names_unique;
        let home = area_of(code as usize).name();
        if cfg!(not(MODULE)) {
            // The kernel's image has an area of its own only on x86_64. In User-Mode Linux it is the
            // start of the direct map.
            assert!(cfg!(not(CONFIG_X86_64)) || home == "kernel_text" || home == DIRECT_MAP);
            return Ok(());
        }
        // Modules are next to the kernel's image, which KASLR may put anywhere in the vmalloc area.
        let moved = cfg!(all(CONFIG_ARM64, CONFIG_RANDOMIZE_BASE)) && home == VMALLOC;
        assert!(home == "modules" || moved);
        Ok(())
    }
}
