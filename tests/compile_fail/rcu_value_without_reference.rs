// SPDX-License-Identifier: GPL-2.0-only
//! H09: an object that was found may have been freed: its value cannot be accessed without a
//! reference.
//! error: type `RcuPtr<'_, Conns>` cannot be dereferenced

use kalloc::slab::{
    RcuLink,
    TypesafeByRcu, //
};
use kernel::sync::{
    atomic::Atomic,
    rcu, //
};

kalloc::sites! {
    pub Conns: cache(TypesafeByRcu<Atomic<u64>, u32>), "compile_conn";
}

#[inline(never)]
pub fn case(link: &RcuLink<Conns>) -> Option<u32> {
    let guard = rcu::read_lock();
    let found = link.load(&guard)?;
    Some(*found)
}
