// SPDX-License-Identifier: GPL-2.0-only

//! Registrations that overlap, are nested in another one, or are late.

use super::odd;
use crate::attack::{
    live,
    sleep,
    Attacker, //
};
use kalloc::{
    slab::Options, //
    Array,
    KBox as CountedBox,
    Kmalloc,
    KmemCache,
    Tag,
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc,
        SetOnce, //
    },
    workqueue, //
};

mod inner {
    kalloc::sites! {
        #![manual]
        pub(crate) Inner: kmalloc(u64), "attack_inner";
        pub(crate) Outer: kmalloc(u64), "attack_outer";
        pub(crate) Twice: kmalloc(u64), "attack_twice";
    }
}

mod belated {
    kalloc::sites! {
        #![manual]
        pub(crate) Boxes: kmalloc(u64), "attack_late_box";
        pub(crate) Bytes: kmalloc([u8]), "attack_late_bytes";
        pub(crate) Objects: cache(u64), "attack_late_object";
    }
}

/// Registers no sites, a site twice in one list, and a site that is registered already.
pub(super) fn overlapping(attacker: &Attacker) -> Result {
    let module = attacker.module;
    holds!(kalloc::register(module, &[]).is_ok());
    holds!(odd::Quoted::site().is_registered());
    holds!(kalloc::register(module, odd::SITES).is_ok());
    let twice: [fn() -> &'static kalloc::Site; 2] = [inner::Twice::site; 2];
    holds!(kalloc::register(module, &twice).is_ok());
    let word = CountedBox::<u64, inner::Twice>::new(1, GFP_KERNEL)?;
    let some: [fn() -> &'static kalloc::Site; 2] = [inner::Twice::site, odd::Quoted::site];
    holds!(kalloc::register(module, &some).is_ok());
    holds!(live::<inner::Twice>() == 1);
    drop(word);
    Ok(())
}

static MODULE: SetOnce<&'static ThisModule> = SetOnce::new();

/// Registers another site in the function that returns a site.
fn registers() -> &'static kalloc::Site {
    if let Some(module) = MODULE.as_ref() {
        let _ = kalloc::register(module, &[inner::Inner::site]);
    }
    inner::Outer::site()
}

/// Registers nested. Both sites must be registered, in whichever order.
pub(super) fn nested(attacker: &Attacker) -> Result {
    MODULE.populate(attacker.module);
    holds!(kalloc::register(attacker.module, &[registers]).is_ok());
    holds!(inner::Inner::site().is_registered() && inner::Outer::site().is_registered());
    // Once more, without an effect.
    holds!(kalloc::register(attacker.module, &[registers]).is_ok());
    let word = CountedBox::<u64, inner::Inner>::new(1, GFP_KERNEL)?;
    holds!(live::<inner::Inner>() == 1);
    drop(word);
    holds!(live::<inner::Inner>() == 0);
    Ok(())
}

/// The number of workers that allocate, and their `stop` flag.
struct Crew {
    left: Atomic<i32>,
    stop: Atomic<i32>,
    worst: Atomic<u64>,
}

/// Allocates and frees at a site that gets its counters meanwhile.
fn work(crew: &Crew) {
    use belated::Boxes;
    while crew.stop.load(Relaxed) == 0 {
        let mut boxes = [const { None }; 20];
        for word in &mut boxes {
            *word = CountedBox::<u64, Boxes>::new(1, GFP_KERNEL).ok();
        }
        let totals = Boxes::site().totals();
        // Before its registration, the site shares its counters with all unregistered sites.
        let few = !Boxes::site().is_registered() || totals.live() <= 100;
        if totals.allocs < totals.frees || !few {
            crew.worst.store(totals.live().max(1), Relaxed);
        }
    }
}

/// Registers sites while they are used.
pub(super) fn late(attacker: &Attacker) -> Result {
    use belated::{
        Boxes,
        Bytes,
        Objects,
        SITES, //
    };
    holds!(KmemCache::<Objects>::new(Options::new()).err() == Some(EINVAL));
    let mut early = KVec::new();
    for _ in 0..10 {
        early.push(CountedBox::<u64, Boxes>::new(1, GFP_KERNEL)?, GFP_KERNEL)?;
    }
    let bytes = Array::<u8, Kmalloc<Bytes>>::zeroed(1000, GFP_KERNEL)?;
    let crew = Arc::new(
        Crew {
            left: Atomic::new(2),
            stop: Atomic::new(0),
            worst: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    for _ in 0..2 {
        let crew = crew.clone();
        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
            work(&crew);
            crew.left.fetch_add(-1, Full);
        })?;
    }
    sleep(50);
    holds!(kalloc::register(attacker.module, SITES).is_ok());
    holds!(kalloc::register(attacker.module, SITES).is_ok());
    sleep(50);
    drop(early);
    drop(bytes);
    crew.stop.store(1, Relaxed);
    while crew.left.load(Relaxed) > 0 {
        sleep(5);
    }
    holds!(crew.worst.load(Relaxed) == 0);
    // The live count lacks the allocations before the registration, but is never negative.
    holds!(live::<Boxes>() == 0 && live::<Bytes>() == 0);
    drop(KmemCache::<Objects>::new(Options::new())?);
    Ok(())
}
