// SPDX-License-Identifier: GPL-2.0-only

//! Operations of a module while it is unloaded.

use crate::{
    attack::Attacker,
    slab::{
        Counts,
        Locked,
        Triples, //
    },
};
use core::mem::forget;
use kalloc::{
    slab::{
        ConstructedCache,
        Options,
        RcuCache, //
    }, //
    KmemCache,
};
use kernel::prelude::*;

mod last {
    kalloc::sites! {
        #![manual]
        pub(crate) Objects: cache(u64), "attack_last_object";
    }
}

/// A value that registers sites, creates caches and forgets them when it is dropped on module
/// unload.
struct Leaver(&'static ThisModule);

impl Drop for Leaver {
    fn drop(&mut self) {
        holds!(kalloc::register(self.0, last::SITES).is_ok());
        forget(KmemCache::<last::Objects>::new(Options::new()));
        if let Ok(cache) = KmemCache::<Triples>::new(Options::new()) {
            forget(cache.alloc([0; 3], GFP_KERNEL));
        }
        if let Ok(cache) = RcuCache::<Locked>::new(Options::new()) {
            forget(cache.reserve(GFP_KERNEL).map(|slot| slot.write([1; 4])));
        }
        forget(ConstructedCache::<Counts>::new(Options::new()));
    }
}

/// Keeps such a value.
pub(super) fn caches(attacker: &Attacker) -> Result {
    attacker.keep(Leaver(attacker.module))
}
