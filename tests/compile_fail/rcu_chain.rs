// SPDX-License-Identifier: GPL-2.0-only
//! H95: a hash chain, a back pointer and a tree need no unsafe code. This case must compile.

#![forbid(unsafe_code)]

use kalloc::slab::{
    Options,
    RcuCache,
    RcuLink,
    RcuRef,
    TypesafeByRcu, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        rcu,
        Arc, //
    }, //
};

pub struct Table {
    heads: [RcuLink<Conns>; 8],
}

pub struct Conn {
    next: RcuLink<Conns>,
    table: Option<Arc<Table>>,
    parent: Option<RcuRef<Conns>>,
    peer: u32,
}

kalloc::sites! {
    pub Conns: cache(TypesafeByRcu<Atomic<u64>, Conn>), "compile_conn";
}

/// A static link, which threads share.
static HEAD: RcuLink<Conns> = RcuLink::new();

#[inline(never)]
pub fn case(table: Arc<Table>) -> Result<u32> {
    let cache = RcuCache::<Conns>::new(Options::new())?;
    let slot = cache.reserve(GFP_KERNEL)?;
    slot.key().store(1, Relaxed);
    let conn = slot.write(Conn {
        next: RcuLink::new(),
        parent: HEAD.replace(None),
        table: Some(table),
        peer: 1,
    });
    HEAD.replace(Some(conn));
    let guard = rcu::read_lock();
    let first = HEAD
        .load(&guard)
        .and_then(|seen| seen.get(|_| true))
        .ok_or(ENOENT)?;
    let heads = first.table.as_ref().map(|table| &table.heads);
    let linked = heads.is_some_and(|heads| heads.iter().any(|head| head.load(&guard).is_some()));
    let next = first.next.load(&guard).is_some() || first.parent.is_some();
    Ok(first.peer + u32::from(linked) + u32::from(next))
}
