// SPDX-License-Identifier: GPL-2.0-only

//! Owners of all kinds that are dropped in a hard interrupt, and batches with interrupts disabled.

use super::{
    Boxes,
    Counts,
    Locked,
    Logs,
    Tables,
    Triples,
    Vecs, //
};
use crate::attack::{
    live,
    Attacker, //
};
use kalloc::{
    slab::{
        ArcObject,
        Constructed,
        ConstructedCache,
        Options,
        RcuCache,
        RcuLink,
        RcuRef,
        Slot, //
    }, //
    Array,
    KBox as CountedBox,
    KVBox as CountedKVBox,
    KVec as CountedVec,
    KmemCache,
    Vmalloc,
};
use kernel::{
    impl_has_hr_timer,
    interrupt,
    new_spinlock,
    prelude::*,
    sync::{
        Arc,
        ArcBorrow,
        Completion,
        SpinLock, //
    },
    time::{
        hrtimer::{
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerPointer,
            HrTimerRestart,
            RelativeMode, //
        },
        Delta,
        Monotonic, //
    }, //
};

/// One owner of each kind.
struct Things {
    object: Option<ArcObject<Triples>>,
    slot: Option<Slot<Triples, Arc<KmemCache<Triples>>>>,
    cache: Option<Arc<KmemCache<Triples>>>,
    reference: Option<RcuRef<Locked>>,
    link: RcuLink<Locked>,
    rcu: Option<RcuCache<Locked>>,
    constructed: Option<Constructed<Counts>>,
    constructing: Option<ConstructedCache<Counts>>,
    #[expect(dead_code)]
    word: CountedBox<u64, Boxes>,
    #[expect(dead_code)]
    table: CountedKVBox<[u64; 1 << 16], Tables>,
    #[expect(dead_code)]
    log: Array<u64, Vmalloc<Logs>>,
    vec: CountedVec<u64, Vecs>,
}

/// A timer that drops them. Wraps an `HrTimer` (`struct hrtimer`).
#[pin_data]
struct Interrupt {
    #[pin]
    timer: HrTimer<Self>,
    #[pin]
    done: Completion,
    #[pin]
    things: SpinLock<Option<Things>>,
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for Interrupt {
        mode: RelativeMode<Monotonic>, field: self.timer
    }
}

impl HrTimerCallback for Interrupt {
    type Pointer<'a> = Arc<Self>;

    fn run(this: ArcBorrow<'_, Self>, _: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart {
        let things = this.things.lock().take();
        if let Some(things) = things {
            drop_all(things);
        }
        this.done.complete_all();
        HrTimerRestart::NoRestart
    }
}

/// Uses and drops the owners; the caches lose their owners before their objects.
fn drop_all(mut things: Things) {
    if let Some(cache) = things.cache.take() {
        if let Ok(object) = cache.alloc([1; 3], GFP_ATOMIC) {
            let (slot, value) = object.take();
            drop(slot.write(value));
        }
        holds!(cache.shrink() == Err(EAGAIN));
    }
    things.object = None;
    // The last owner of the cache.
    things.slot = None;
    holds!(KmemCache::<Triples>::new(Options::new()).err() == Some(EAGAIN));
    things.rcu = None;
    drop(things.link.replace(things.reference.take()));
    things.constructing = None;
    things.constructed = None;
    let _ = things.vec.reserve(500, GFP_ATOMIC);
    let _ = things.vec.push(1, GFP_ATOMIC);
    drop(things);
}

/// Drops owners in the timer's interrupt.
pub(super) fn hard(_: &Attacker) -> Result {
    let cache = Arc::new(KmemCache::<Triples>::new(Options::new())?, GFP_KERNEL)?;
    let rcu = RcuCache::<Locked>::new(Options::new())?;
    let constructing = ConstructedCache::<Counts>::new(Options::new())?;
    let things = Things {
        object: Some(cache.reserve_arc(GFP_KERNEL)?.write([1; 3])),
        slot: Some(cache.reserve_arc(GFP_KERNEL)?),
        cache: Some(cache),
        reference: Some(rcu.reserve(GFP_KERNEL)?.write([2; 4])),
        link: RcuLink::new(),
        rcu: Some(rcu),
        constructed: Some(constructing.alloc(GFP_KERNEL)?),
        constructing: Some(constructing),
        word: CountedBox::new(1, GFP_KERNEL)?,
        table: CountedKVBox::zeroed(GFP_KERNEL)?,
        log: Array::zeroed(5000, GFP_KERNEL)?,
        vec: CountedVec::with_capacity(1, GFP_KERNEL)?,
    };
    let interrupt = Arc::pin_init(
        pin_init!(Interrupt {
            timer <- HrTimer::new(),
            done <- Completion::new(),
            things <- new_spinlock!(Some(things)),
        }),
        GFP_KERNEL,
    )?;
    let handle = interrupt.clone().start(Delta::from_micros(100));
    interrupt.done.wait_for_completion();
    drop(handle);
    holds!(live::<Triples>() == 0 && live::<Locked>() == 0 && live::<Counts>() == 0);
    holds!(live::<Boxes>() == 0 && live::<Tables>() == 0);
    holds!(live::<Logs>() == 0 && live::<Vecs>() == 0);
    // The site must be free at once: the worker may not have run yet.
    drop(KmemCache::<Triples>::new(Options::new())?);
    drop(RcuCache::<Locked>::new(Options::new())?);
    drop(ConstructedCache::<Counts>::new(Options::new())?);
    Ok(())
}

/// Fills, uses and drops a batch with interrupts disabled.
pub(super) fn disabled(_: &Attacker) -> Result {
    let cache = KmemCache::<Triples>::new(Options::new().sheaf_capacity(100))?;
    let guard = interrupt::local_interrupt_disable();
    for _ in 0..2 {
        let mut batch = cache.batch::<256>();
        let _ = batch.fill(GFP_ATOMIC);
        drop(batch.pop());
        let object = cache.alloc([1; 3], GFP_ATOMIC);
        drop(batch);
        drop(object);
    }
    drop(guard);
    holds!(live::<Triples>() == 0);
    Ok(())
}
