// SPDX-License-Identifier: GPL-2.0-only

//! Keys of objects that are freed while readers see them, and unlimited references.

use super::{
    Locked,
    Saturated, //
};
use crate::attack::{
    live,
    Attacker, //
};
use core::mem::forget;
use kalloc::slab::{
    Construct,
    Options,
    RcuCache,
    RcuLink, //
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        rcu,
        SpinLock, //
    }, //
};

/// A key with a lock.
#[pin_data]
pub(crate) struct Key {
    #[pin]
    lock: SpinLock<u32>,
}

impl Construct for Key {
    fn construct() -> impl PinInit<Self> {
        pin_init!(Key { lock <- new_spinlock!(0) })
    }
}

/// Frees an object while its own lock is held. The lock is in the key, which stays valid.
pub(super) fn locked(_: &Attacker) -> Result {
    let cache = RcuCache::<Locked>::new(Options::new())?;
    let link = RcuLink::<Locked>::new();
    link.replace(Some(cache.reserve(GFP_KERNEL)?.write([1; 4])));
    let guard = rcu::read_lock();
    if let Some(seen) = link.load(&guard) {
        let held = seen.key().lock.lock();
        drop(link.replace(None));
        drop(held);
    }
    drop(guard);
    holds!(live::<Locked>() == 0);
    Ok(())
}

/// Frees objects and their cache while a reader holds the RCU read lock.
pub(super) fn reused(_: &Attacker) -> Result {
    for round in 0..4u32 {
        let cache = RcuCache::<Locked>::new(Options::new())?;
        let mut links = KVVec::new();
        for _ in 0..300 {
            links.push(RcuLink::<Locked>::new(), GFP_KERNEL)?;
        }
        for link in &links {
            let slot = cache.reserve(GFP_KERNEL)?;
            *slot.key().lock.lock() = round;
            link.replace(Some(slot.write([round.into(); 4])));
        }
        let guard = rcu::read_lock();
        let seen: [_; 8] =
            core::array::from_fn(|nth| links.get(nth * 35).and_then(|link| link.load(&guard)));
        drop(links);
        drop(cache);
        holds!(live::<Locked>() == 0);
        for _ in 0..50 {
            for seen in seen.iter().flatten() {
                holds!(seen.get(|_| true).is_none());
                holds!(*seen.key().lock.lock() == round);
            }
        }
        drop(guard);
    }
    Ok(())
}

/// Forgets references until their count saturates; it must stay at its limit. Not run by default,
/// since it takes minutes.
pub(super) fn saturated(_: &Attacker) -> Result {
    let cache = RcuCache::<Saturated>::new(Options::new())?;
    let reference = cache.reserve(GFP_KERNEL)?.write(7);
    for _ in 0..(1u64 << 31) + 2 {
        forget(reference.clone());
    }
    holds!(*reference == 7);
    drop(reference);
    holds!(live::<Saturated>() == 1);
    Ok(())
}
