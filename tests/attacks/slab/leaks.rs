// SPDX-License-Identifier: GPL-2.0-only

//! Forgets every kind of owner at once. The module is then unloaded.

use super::{
    Boxes,
    Counts,
    Locked,
    PerCpuTriples,
    Repeats,
    Triples, //
};
use crate::attack::Attacker;
use core::mem::forget;
use kalloc::{
    slab::{
        ConstructedCache,
        Options,
        RcuCache,
        RcuLink, //
    }, //
    KBox as CountedBox,
    KmemCache,
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

static LINK: RcuLink<Locked> = RcuLink::new();

/// Forgets one owner of each kind, and drops the caches.
pub(super) fn all(_: &Attacker) -> Result {
    let cache = RcuCache::<Locked>::new(Options::new())?;
    LINK.replace(Some(cache.reserve(GFP_KERNEL)?.write([3; 4])));
    drop(cache);
    let cache = Arc::new(KmemCache::<Triples>::new(Options::new())?, GFP_KERNEL)?;
    forget(cache.reserve_arc(GFP_KERNEL)?);
    drop(cache);
    let cache = KmemCache::<PerCpuTriples>::new(Options::new())?;
    let mut batch = cache.batch::<9>();
    batch.fill(GFP_KERNEL)?;
    forget(batch);
    drop(cache);
    let cache = ConstructedCache::<Counts>::new(Options::new())?;
    forget(cache.alloc(GFP_KERNEL)?);
    drop(cache);
    forget(KmemCache::<Repeats>::new(Options::new())?);
    forget(CountedBox::<u64, Boxes>::new(1, GFP_KERNEL)?);
    Ok(())
}
