// SPDX-License-Identifier: GPL-2.0

//! Pages that are there already, mapped side by side.
//!
//! kalloc maps by `vmap()`, since a mapping may live long. C has `vm_map_ram()` as well, for those
//! that do not; what that saves is to be seen here.

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
    /// What is mapped.
    Mapped: pages, "bench_mapped";
}

#[inline(never)]
fn map(_: &Fixture, n: usize, count: usize) -> Result {
    let mut pages = PageArray::<Mapped>::zeroed(count, GFP_KERNEL)?;
    for _ in 0..n {
        if let Some(first) = Mapping::new(&mut pages)?.first_mut() {
            // SAFETY: A byte that is borrowed mutably.
            unsafe { core::ptr::from_mut(first).write_volatile(0) };
        }
    }
    Ok(())
}

const VMAP: &str = "vmap";
const RAM: &str = "vm_map_ram_test";

macro_rules! counts {
    ($($count:literal)*) => {
        /// By number of pages.
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
