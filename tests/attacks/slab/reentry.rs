// SPDX-License-Identifier: GPL-2.0-only

//! Destructors and constructors that use the cache of the object that they are called for.

use super::{
    Counts,
    Readers,
    Repeats,
    Triples, //
};
use crate::attack::{
    live,
    Attacker, //
};
use kalloc::{
    slab::{
        ArcObject,
        Construct,
        ConstructedCache,
        Options,
        RcuCache,
        RcuLink,
        Reset, //
    }, //
    KmemCache,
    Tag,
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        rcu,
        Arc,
        SetOnce, //
    }, //
};

/// An object that allocates others of its type when it is dropped, and owns the next one of a
/// chain.
pub(crate) struct Repeated {
    cache: Option<Arc<KmemCache<Repeats>>>,
    depth: u32,
    next: Option<KBox<ArcObject<Repeats>>>,
}

impl Repeated {
    fn new(cache: &Arc<KmemCache<Repeats>>, depth: u32) -> Self {
        Repeated {
            cache: Some(cache.clone()),
            depth,
            next: None,
        }
    }
}

impl Drop for Repeated {
    fn drop(&mut self) {
        let Some(cache) = self.cache.take() else {
            return;
        };
        if let Some(depth) = self.depth.checked_sub(1) {
            if let Ok(slot) = cache.reserve_arc(GFP_KERNEL) {
                drop(slot.write(Repeated::new(&cache, depth)));
            }
            let mut batch = cache.batch::<4>();
            let _ = batch.fill(GFP_KERNEL);
            if let Some(slot) = batch.pop() {
                batch.put(slot.write(Repeated::new(&cache, 0)));
            }
        }
        // The site has a cache: the one of this object.
        holds!(KmemCache::<Repeats>::new(Options::new()).err() == Some(EEXIST));
    }
}

static LINK: RcuLink<Readers> = RcuLink::new();

/// A value that puts another one into its place when it is dropped.
pub(crate) struct Reader {
    cache: Option<Arc<RcuCache<Readers>>>,
    depth: u32,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let (Some(cache), Some(depth)) = (self.cache.take(), self.depth.checked_sub(1)) else {
            return;
        };
        let next = Reader {
            cache: Some(cache.clone()),
            depth,
        };
        if let Ok(slot) = cache.reserve(GFP_ATOMIC) {
            LINK.replace(Some(slot.write(next)));
        }
        let guard = rcu::read_lock();
        if let Some(seen) = LINK.load(&guard) {
            holds!(seen.get(|_| false).is_none());
        }
    }
}

/// Drops both kinds, together with the last owners of their caches.
pub(super) fn destructors(_: &Attacker) -> Result {
    let cache = Arc::new(KmemCache::<Repeats>::new(Options::new())?, GFP_KERNEL)?;
    let mut head = None;
    for number in 0..12 {
        let mut object = Repeated::new(&cache, number % 4);
        object.next = head.take();
        let object = cache.reserve_arc(GFP_KERNEL)?.write(object);
        head = Some(KBox::new(object, GFP_KERNEL)?);
    }
    holds!(live::<Repeats>() == 12);
    drop(cache);
    drop(head);
    holds!(live::<Repeats>() == 0);
    drop(KmemCache::<Repeats>::new(Options::new().align(512))?);

    let new =
        || Arc::new(RcuCache::<Readers>::new(Options::new())?, GFP_KERNEL).map_err(Error::from);
    let reader = |cache: &Arc<RcuCache<Readers>>, depth| Reader {
        cache: Some(cache.clone()),
        depth,
    };
    let cache = new()?;
    LINK.replace(Some(cache.reserve(GFP_KERNEL)?.write(reader(&cache, 30))));
    drop(cache);
    while let Some(reference) = LINK.replace(None) {
        drop(reference);
    }
    holds!(live::<Readers>() == 0);

    // The value of the last reference owns the last owner of the cache; its memory is reused after
    // that.
    let cache = new()?;
    let reference = cache.reserve(GFP_KERNEL)?.write(reader(&cache, 0));
    drop(cache);
    let slot = reference.into_slot();
    holds!(slot.is_some() && live::<Readers>() == 1);
    holds!(RcuCache::<Readers>::new(Options::new()).err() == Some(EEXIST));
    let none = Reader {
        cache: None,
        depth: 0,
    };
    drop(slot.map(|slot| slot.write(none)));
    holds!(live::<Readers>() == 0);
    drop(RcuCache::<Readers>::new(Options::new())?);
    Ok(())
}

/// An object whose constructor and reset allocate others of its type.
pub(crate) struct Count(u64);

static CACHE: SetOnce<Arc<ConstructedCache<Counts>>> = SetOnce::new();
static DEPTH: Atomic<i32> = Atomic::new(0);
static LEFT: Atomic<i32> = Atomic::new(12);

/// Calls `f` with the cache, up to a limit of nested calls.
fn once_more(most: i32, f: impl FnOnce(&ConstructedCache<Counts>)) {
    let Some(cache) = CACHE.as_ref() else {
        return;
    };
    if DEPTH.load(Relaxed) < most {
        DEPTH.fetch_add(1, Relaxed);
        f(cache);
        DEPTH.fetch_add(-1, Relaxed);
    }
}

impl Construct for Count {
    fn construct() -> impl PinInit<Self> {
        once_more(3, |cache| {
            if LEFT.fetch_add(-1, Relaxed) <= 0 {
                return;
            }
            if let (Ok(one), Ok(other)) = (cache.alloc(GFP_KERNEL), cache.alloc(GFP_KERNEL)) {
                holds!(core::ptr::from_ref(&*one) != core::ptr::from_ref(&*other));
                holds!(one.0 == 42 && other.0 == 42);
            }
            let _ = cache.shrink();
            holds!(KmemCache::<Triples>::new(Options::new()).is_ok());
            let _ = Counts::site().totals();
        });
        Count(42)
    }
}

impl Reset for Count {
    fn reset(mut self: Pin<&mut Self>) {
        self.0 = 42;
        once_more(2, |cache| drop(cache.alloc(GFP_KERNEL)));
    }
}

impl Count {
    /// Returns the constructed value, or the one that the last owner left, and stores another.
    pub(super) fn swap(&mut self, count: u64) -> u64 {
        core::mem::replace(&mut self.0, count)
    }
}

/// Allocates enough objects to construct new slabs. A static owns the cache.
pub(super) fn constructors(_: &Attacker) -> Result {
    let cache = Arc::new(ConstructedCache::<Counts>::new(Options::new())?, GFP_KERNEL)?;
    holds!(CACHE.populate(cache.clone()));
    let mut objects = KVec::new();
    for _ in 0..400 {
        let mut object = cache.alloc(GFP_KERNEL)?;
        holds!(object.swap(7) == 42);
        objects.push(object, GFP_KERNEL)?;
    }
    holds!(live::<Counts>() == 400);
    drop(objects);
    holds!(live::<Counts>() == 0);
    cache.shrink()
}
