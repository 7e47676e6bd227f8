// SPDX-License-Identifier: GPL-2.0-only

use kalloc::slab::{
    Construct,
    Reset, //
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        SpinLock, //
    }, //
};

/// An object with a lock that the constructor initializes once, and a mark that owners leave in it.
#[pin_data]
pub(crate) struct Queue {
    #[pin]
    items: SpinLock<[u32; 4]>,
    magic: u64,
    owners: Atomic<u64>,
}

const MAGIC: u64 = 0x5a5a_1234_5a5a_4321;

static CONSTRUCTED: Atomic<i32> = Atomic::new(0);
static RESETS: Atomic<i32> = Atomic::new(0);

impl Construct for Queue {
    fn construct() -> impl PinInit<Self> {
        CONSTRUCTED.fetch_add(1, Relaxed);
        pin_init!(Queue {
            items <- new_spinlock!([0; 4]),
            magic: MAGIC,
            owners: Atomic::new(0),
        })
    }
}

impl Reset for Queue {
    fn reset(self: Pin<&mut Self>) {
        RESETS.fetch_add(1, Relaxed);
        *self.items.lock() = [0; 4];
    }
}

/// An object that need not be pinned.
pub(crate) struct Tally(u32);

impl Construct for Tally {
    fn construct() -> impl PinInit<Self> {
        Tally(1)
    }
}

impl Reset for Tally {
    fn reset(mut self: Pin<&mut Self>) {
        self.0 = 1;
    }
}

kalloc::sites! {
    pub(crate) Queues: cache(Queue), "kunit_constructed_queue";
    pub(crate) Tallies: cache(Tally), "kunit_constructed_tally", percpu;
}

#[kunit_tests(kalloc_slab_ctor)]
mod tests {
    use super::*;
    use crate::Change;
    use kalloc::{
        slab::{
            ConstructedCache,
            Options, //
        }, //
        KmemCache,
        Tag,
    };

    fn queues() -> Result<ConstructedCache<Queues>> {
        ConstructedCache::new(Options::new())
    }

    fn address(queue: &Queue) -> usize {
        core::ptr::from_ref(queue).addr()
    }

    #[test]
    fn ctor_alloc_runs_ctor() -> Result {
        let change = Change::of::<Queues>();
        let (constructed, resets) = (CONSTRUCTED.load(Relaxed), RESETS.load(Relaxed));
        let cache = queues()?;
        let mut objects = KVec::new();
        for _ in 0..100 {
            let queue = cache.alloc(GFP_KERNEL)?;
            assert!(queue.magic == MAGIC && *queue.items.lock() == [0; 4]);
            *queue.items.lock() = [1; 4];
            objects.push(queue, GFP_KERNEL)?;
        }
        assert!(CONSTRUCTED.load(Relaxed) - constructed >= 100);
        assert!(change.live().0 == 100);
        drop(objects);
        assert!(RESETS.load(Relaxed) - resets == 100);
        assert!(change.events() == (100, 100, 0));
        Ok(())
    }

    #[test]
    fn ctor_free_keeps_state() -> Result {
        let cache = queues()?;
        // Objects on both sides keep the slab allocated when the cache is shrunk, which makes KASAN
        // release the freed objects from its quarantine. If this thread has moved to another CPU in
        // between, a single neighbor may be in that CPU's slab.
        let mut others = KVec::new();
        let mut queue = cache.alloc(GFP_KERNEL)?;
        for nth in 0..60 {
            let mut other = cache.alloc(GFP_KERNEL)?;
            if nth == 30 {
                core::mem::swap(&mut queue, &mut other);
            }
            others.push(other, GFP_KERNEL)?;
        }
        queue.owners.store(77, Relaxed);
        *queue.items.lock() = [1; 4];
        let place = address(&queue);
        drop(queue);
        cache.shrink()?;

        let mut objects = KVec::new();
        let again = loop {
            let queue = cache.alloc(GFP_KERNEL)?;
            if address(&queue) == place || objects.len() == 1000 {
                break queue;
            }
            assert!(queue.owners.load(Relaxed) == 0);
            objects.push(queue, GFP_KERNEL)?;
        };
        // The object is in the state that its last owner left, after a reset.
        assert!(again.owners.load(Relaxed) == 77);
        assert!(again.magic == MAGIC && *again.items.lock() == [0; 4]);
        Ok(())
    }

    #[test]
    fn ctor_alloc_gfp_zero() -> Result {
        let cache = queues()?;
        for _ in 0..10 {
            assert!(cache.alloc(GFP_KERNEL | __GFP_ZERO)?.magic == MAGIC);
        }
        Ok(())
    }

    /// The counted frees at the time when the allocator got the observed object back.
    static FREES: Atomic<i64> = Atomic::new(-1);

    extern "C" fn note_frees() {
        FREES.store(Tallies::site().totals().frees as i64, Relaxed);
    }

    /// A cache may be destroyed as soon as the free of its last object is counted.
    #[test]
    fn ctor_free_before_accounting() -> Result {
        if !cfg!(CONFIG_TRACEPOINTS) {
            crate::case::skip!(c"no CONFIG_TRACEPOINTS");
        }
        let cache = ConstructedCache::<Tallies>::new(Options::new())?;
        let tally = cache.alloc(GFP_KERNEL)?;
        let before = Tallies::site().totals().frees as i64;
        let place = core::ptr::from_ref(&*tally).addr();
        crate::observe::when_freed(place, note_frees, || drop(tally))?;
        assert!(FREES.load(Relaxed) == before);
        assert!(Tallies::site().totals().frees as i64 == before + 1);
        Ok(())
    }

    #[test]
    fn ctor_object_keeps_cache() -> Result {
        let change = Change::of::<Tallies>();
        let cache = ConstructedCache::<Tallies>::new(Options::new().hwcache_align())?;
        let mut first = cache.alloc(GFP_KERNEL)?;
        let second = cache.alloc(GFP_ATOMIC)?;
        drop(cache);
        assert!(KmemCache::<Tallies>::new(Options::new()).err() == Some(EEXIST));
        first.0 += 1;
        drop(second);
        assert!(KmemCache::<Tallies>::new(Options::new()).err() == Some(EEXIST));
        assert!(first.0 == 2 && change.live().0 == 1);
        drop(first);
        assert!(change.events() == (2, 2, 0));
        // The site is free again, and may have a cache of another kind.
        drop(KmemCache::<Tallies>::new(Options::new())?.alloc(Tally(5), GFP_KERNEL)?);
        Ok(())
    }
}
