// SPDX-License-Identifier: GPL-2.0-only

//! Contiguous mappings of existing pages.
//!
//! kalloc maps with `vmap()`, since a mapping may be long-lived. C also has `vm_map_ram()` for
//! short-lived mappings; this file measures the difference.

use crate::{
    c,
    case::{
        Case,
        Side, //
    },
    fixture::Fixture, //
};
use kalloc::{
    Mapping,
    PageArray, //
};
use kernel::prelude::*;

kalloc::sites! {
    /// The mapped pages.
    Mapped: pages, "bench_mapped";
}

#[inline(never)]
fn map(_: &Fixture, n: usize, count: usize) -> Result {
    let mut pages = PageArray::<Mapped>::zeroed(count, GFP_KERNEL)?;
    for _ in 0..n {
        if let Some(first) = Mapping::new(&mut pages)?.first_mut() {
            // SAFETY: The byte is borrowed mutably.
            unsafe { core::ptr::from_mut(first).write_volatile(0) };
        }
    }
    Ok(())
}

const VMAP: &str = "vmap";
const RAM: &str = "vm_map_ram_test";

macro_rules! counts {
    ($($count:literal)*) => {
        /// The cases of mappings, by number of pages.
        pub(crate) const CASES: &[Case] = &[
            $(
                Case::new(VMAP, Side::C, $count, c::vmap).times(100),
                Case::new(VMAP, Side::Kalloc, $count, map).times(100),
                Case::new(RAM, Side::C, $count, c::vm_map_ram).times(100),
                Case::new(RAM, Side::Kalloc, $count, map).times(100),
            )*
        ];
    };
}

counts! { 1 16 }
