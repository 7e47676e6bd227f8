// SPDX-License-Identifier: GPL-2.0-only
//! The value of an RCU object that is too large for the stack must be initialized in place.
//! error: initialize it in place

use kalloc::slab::{
    RcuRef,
    RcuSlot,
    TypesafeByRcu, //
};
use kernel::sync::atomic::Atomic;

kalloc::sites! {
    pub Large: cache(TypesafeByRcu<Atomic<u64>, [u64; 257]>), "compile_large";
}

#[inline(never)]
pub fn case(slot: RcuSlot<Large>) -> RcuRef<Large> {
    slot.write([0; 257])
}
