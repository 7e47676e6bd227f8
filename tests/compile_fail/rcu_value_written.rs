// SPDX-License-Identifier: GPL-2.0-only
//! H09: a value cannot be written while any reader may have a reference to it.
//! error: cannot assign to data in dereference of `RcuRef<Conns>`

use kalloc::slab::{
    RcuRef,
    TypesafeByRcu, //
};
use kernel::sync::atomic::Atomic;

kalloc::sites! {
    pub Conns: cache(TypesafeByRcu<Atomic<u64>, u32>), "compile_conn";
}

#[inline(never)]
pub fn case(mut conn: RcuRef<Conns>) {
    *conn += 1;
}
