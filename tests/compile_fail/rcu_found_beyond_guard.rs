// SPDX-License-Identifier: GPL-2.0-only
//! H09: an object that was found cannot be accessed after the RCU read lock is released.
//! error: cannot move out of `guard` because it is borrowed

use kalloc::slab::{
    RcuLink,
    TypesafeByRcu, //
};
use kernel::sync::{
    atomic::{
        Atomic,
        Relaxed, //
    },
    rcu, //
};

kalloc::sites! {
    pub Conns: cache(TypesafeByRcu<Atomic<u64>, u32>), "compile_conn";
}

#[inline(never)]
pub fn case(link: &RcuLink<Conns>) -> Option<u64> {
    let guard = rcu::read_lock();
    let key = link.load(&guard)?.key();
    drop(guard);
    Some(key.load(Relaxed))
}
