// SPDX-License-Identifier: GPL-2.0-only

//! Operations in random order, and last objects that are dropped together with their cache's owner.

use super::{
    Counts,
    PerCpuTriples,
    Triples, //
};
use crate::attack::{
    live,
    sleep,
    Attacker, //
};
use kalloc::{
    accounting::family,
    slab::{
        ArcObject,
        ConstructedCache,
        Options,
        Slot, //
    }, //
    KmemCache,
    Tag,
};
use kernel::{
    prelude::*,
    sync::Arc,
    workqueue, //
};

/// Turns objects, slots and a batch into each other at random; the site counts them.
fn mix<S: Tag<Family = family::SlabCache, Object = [u64; 3]>>() -> Result {
    let cache = Arc::new(KmemCache::<S>::new(Options::new())?, GFP_KERNEL)?;
    let mut objects = KVVec::<ArcObject<S>>::new();
    let mut slots = KVVec::<Slot<S, Arc<KmemCache<S>>>>::new();
    let mut batch = cache.batch::<32>();
    let mut random = 12345u64;
    for step in 0..4_000u64 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        match (random >> 33) % 14 {
            0 | 1 => {
                let object = cache.reserve_arc(GFP_KERNEL)?.write([step; 3]);
                objects.push(object, GFP_KERNEL)?;
            }
            2 => slots.push(cache.reserve_arc(GFP_KERNEL)?, GFP_KERNEL)?,
            3 => drop(objects.pop()),
            4 => drop(slots.pop()),
            5 => {
                if let Some(object) = objects.pop() {
                    let (slot, [first, _, last]) = object.take();
                    holds!(first == last);
                    slots.push(slot, GFP_KERNEL)?;
                }
            }
            6 => {
                if let Some(slot) = slots.pop() {
                    objects.push(slot.write([step; 3]), GFP_KERNEL)?;
                }
            }
            7 => batch.fill(GFP_KERNEL)?,
            8 => drop(batch.pop()),
            9 => {
                if let Some(slot) = batch.pop() {
                    batch.put(slot.write([step; 3]));
                }
            }
            10 => batch.put(cache.alloc([step; 3], GFP_KERNEL)?),
            11 => drop(core::mem::replace(&mut batch, cache.batch())),
            12 => {
                if let Some(slot) = slots.pop() {
                    holds!(slot.init(Err::<[u64; 3], Error>(EINVAL)).is_err());
                }
            }
            _ => {
                if let Some(slot) = slots.pop() {
                    holds!(slot.pin_init(Err::<[u64; 3], Error>(EINVAL)).is_err());
                }
                if step % 1024 == 0 {
                    objects.clear();
                    slots.clear();
                }
            }
        }
        holds!(live::<S>() == (objects.len() + slots.len() + batch.len()) as u64);
    }
    drop((objects, slots));
    drop(batch);
    holds!(live::<S>() == 0);
    Ok(())
}

/// Runs the operations at a site of each kind.
pub(super) fn operations(_: &Attacker) -> Result {
    mix::<Triples>()?;
    mix::<PerCpuTriples>()
}

/// Makes workers drop the last objects while the owner of their cache is dropped, and creates the
/// next cache of the site.
pub(super) fn last(_: &Attacker) -> Result {
    for _ in 0..40 {
        let cache = loop {
            match ConstructedCache::<Counts>::new(Options::new()) {
                Err(error) if error == EEXIST => sleep(1),
                other => break other?,
            }
        };
        for _ in 0..6 {
            let mut object = cache.alloc(GFP_KERNEL)?;
            holds!(object.swap(7) == 42);
            workqueue::system_unbound().try_spawn(GFP_KERNEL, move || drop(object))?;
        }
        drop(cache);
    }
    // All closures have run when nothing is live.
    while live::<Counts>() != 0 {
        sleep(1);
    }
    sleep(20);
    Ok(())
}
