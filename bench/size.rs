// SPDX-License-Identifier: GPL-2.0-only

//! Functions whose size is that of one more instantiation of a box: its allocation and its free.
//!
//! `scripts/kalloc bench --lines` reads their sizes in the module.

use kernel::prelude::*;

/// An object of this module alone.
struct Object(#[expect(dead_code)] [u64; 4]);

kalloc::sites! {
    /// The objects.
    Objects: kmalloc(Object), "bench_size";
}

/// Allocates and frees an object; returns whether there is memory.
#[no_mangle]
#[inline(never)]
extern "C" fn kalloc_bench_size_kalloc(value: u64) -> bool {
    kalloc::KBox::<_, Objects>::new(Object([value; 4]), GFP_KERNEL).is_ok()
}

/// Does the same with the kernel crate.
#[no_mangle]
#[inline(never)]
extern "C" fn kalloc_bench_size_upstream(value: u64) -> bool {
    KBox::new(Object([value; 4]), GFP_KERNEL).is_ok()
}
