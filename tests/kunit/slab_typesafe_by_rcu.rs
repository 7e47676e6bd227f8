// SPDX-License-Identifier: GPL-2.0-only

use kalloc::slab::{
    Construct,
    RcuLink,
    RcuRef,
    TypesafeByRcu, //
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Completion,
        SpinLock, //
    }, //
};

/// The pattern between the number and the check word of a value. It reveals a torn value.
const PATTERN: u64 = 0x0123_4567_89ab_cdef;

static DROPS: Atomic<i32> = Atomic::new(0);

/// A value with its number and a check word.
pub(crate) struct Conn {
    number: u64,
    check: u64,
}

impl Conn {
    fn new(number: u64) -> Self {
        Conn {
            number,
            check: number ^ PATTERN,
        }
    }

    fn is_whole(&self) -> bool {
        self.check == self.number ^ PATTERN
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        DROPS.fetch_add(1, Relaxed);
        // A reader that still uses the value sees a wrong check word.
        self.check = 0;
    }
}

/// A node of a tree: it owns its children and has a reference to its parent.
pub(crate) struct Node {
    number: u64,
    left: RcuLink<Nodes>,
    right: RcuLink<Nodes>,
    parent: Option<RcuRef<Nodes>>,
}

/// A key with a lock.
#[pin_data]
pub(crate) struct Locked {
    #[pin]
    number: SpinLock<u64>,
}

impl Construct for Locked {
    fn construct() -> impl PinInit<Self> {
        pin_init!(Locked {
            number <- new_spinlock!(0),
        })
    }
}

kalloc::sites! {
    pub(crate) Nodes: cache(TypesafeByRcu<Atomic<u64>, Node>), "kunit_rcu_node";
    /// Keys with locks, of values that are smaller than a pointer.
    pub(crate) Lockeds: cache(TypesafeByRcu<Locked, u8>), "kunit_rcu_locked";
    pub(crate) Conns: cache(TypesafeByRcu<Atomic<u64>, Conn>), "kunit_rcu_conn";
    /// Values that are smaller than the allocator's free pointer.
    pub(crate) Bytes: cache(TypesafeByRcu<(), u8>), "kunit_rcu_byte", percpu;
}

/// The number of links at which connections are found.
const LINKS: u64 = 4;

/// The state that readers and a writer share.
#[pin_data]
struct Table {
    links: [RcuLink<Conns>; LINKS as usize],
    readers: Atomic<i32>,
    stop: Atomic<i32>,
    /// The values that readers referenced, the values that had been replaced by another object, and
    /// the errors.
    held: Atomic<i32>,
    others: Atomic<i32>,
    wrong: Atomic<i32>,
    #[pin]
    done: Completion,
}

#[kunit_tests(kalloc_slab_typesafe_by_rcu)]
mod tests {
    use super::*;
    use crate::Change;
    use kalloc::{
        slab::{
            Options,
            RcuCache,
            RcuRef, //
        }, //
        Tag,
    };
    use kernel::{
        sync::{
            atomic::{
                ordering,
                Acquire,
                Release, //
            },
            rcu,
            Arc, //
        },
        time::{
            Instant,
            Monotonic, //
        },
        workqueue, //
    };

    fn conns() -> Result<RcuCache<Conns>> {
        RcuCache::new(Options::new())
    }

    fn conn(cache: &RcuCache<Conns>, number: u64) -> Result<RcuRef<Conns>> {
        let slot = cache.reserve(GFP_KERNEL)?;
        slot.key().store(number, Relaxed);
        Ok(slot.write(Conn::new(number)))
    }

    #[test]
    fn rcu_ref_drop_last() -> Result {
        let (change, drops) = (Change::of::<Conns>(), DROPS.load(Relaxed));
        let cache = conns()?;
        let first = conn(&cache, 1)?;
        let second = first.clone();
        assert!(first.number == 1 && second.key().load(Relaxed) == 1);
        drop(first);
        assert!(second.is_whole() && DROPS.load(Relaxed) == drops);
        assert!(change.events() == (1, 0, 0));
        drop(second);
        assert!(DROPS.load(Relaxed) == drops + 1);
        assert!(change.events() == (1, 1, 0));
        Ok(())
    }

    #[test]
    fn rcu_link_owns_reference() -> Result {
        let (change, drops) = (Change::of::<Conns>(), DROPS.load(Relaxed));
        let cache = conns()?;
        let link = RcuLink::new();
        assert!(link.load(&rcu::read_lock()).is_none());
        assert!(link.replace(Some(conn(&cache, 1)?)).is_none());
        let old = link.replace(Some(conn(&cache, 2)?)).ok_or(ENOENT)?;
        assert!(old.number == 1 && DROPS.load(Relaxed) == drops);
        drop((old, link));
        assert!(DROPS.load(Relaxed) == drops + 2);
        assert!(change.events() == (2, 2, 0));
        Ok(())
    }

    #[test]
    fn rcu_get_keeps_value() -> Result {
        let drops = DROPS.load(Relaxed);
        let cache = conns()?;
        let link = RcuLink::new();
        link.replace(Some(conn(&cache, 7)?));
        let guard = rcu::read_lock();
        let seen = link.load(&guard).ok_or(ENOENT)?;
        assert!(seen.key().load(Relaxed) == 7);
        assert!(seen.get(|conn| conn.number == 8).is_none());
        let held = seen.get(|conn| conn.number == 7).ok_or(ENOENT)?;
        drop(guard);
        drop(link.replace(None));
        assert!(held.is_whole() && DROPS.load(Relaxed) == drops);
        drop(held);
        assert!(DROPS.load(Relaxed) == drops + 1);
        Ok(())
    }

    #[test]
    fn rcu_get_after_reuse() -> Result {
        let (change, drops) = (Change::of::<Conns>(), DROPS.load(Relaxed));
        let cache = conns()?;
        let link = RcuLink::new();
        link.replace(Some(conn(&cache, 1)?));
        let guard = rcu::read_lock();
        let seen = link.load(&guard).ok_or(ENOENT)?;

        // After the free, the key remains, but no reference can be taken.
        let last = link.replace(None).ok_or(ENOENT)?;
        let slot = last.into_slot().ok_or(ENOENT)?;
        assert!(DROPS.load(Relaxed) == drops + 1);
        assert!(seen.get(|_| true).is_none());
        assert!(seen.key().load(Relaxed) == 1);

        // The memory has another object: a search for the first one fails.
        slot.key().store(2, Relaxed);
        assert!(seen.get(|_| true).is_none());
        let other = slot.write(Conn::new(2));
        assert!(seen.get(|conn| conn.number == 1).is_none());
        let again = seen.get(|conn| conn.number == 2).ok_or(ENOENT)?;
        assert!(again.is_whole() && again.key().load(Relaxed) == 2);
        // A reference that is not the last one returns no slot.
        assert!(other.into_slot().is_none());
        drop(again);
        assert!(DROPS.load(Relaxed) == drops + 2);
        assert!(change.events() == (1, 1, 0));
        Ok(())
    }

    #[test]
    fn rcu_ref_keeps_cache() -> Result {
        let cache = conns()?;
        let held = conn(&cache, 1)?;
        drop(cache);
        assert!(conns().err() == Some(EEXIST));
        assert!(held.is_whole());

        // A reader may access the memory until it releases the RCU read lock, although the worker
        // would destroy the cache now.
        let link = RcuLink::new();
        link.replace(Some(held));
        let guard = rcu::read_lock();
        let seen = link.load(&guard).ok_or(ENOENT)?;
        drop(link);
        let start = Instant::<Monotonic>::now();
        while start.elapsed().as_millis() < 30 {
            assert!(seen.get(|_| true).is_none() && seen.key().load(Relaxed) == 1);
        }
        drop(guard);
        drop(conns()?);
        Ok(())
    }

    #[test]
    fn rcu_slot_drop_without_value() -> Result {
        let (change, drops) = (Change::of::<Conns>(), DROPS.load(Relaxed));
        let cache = conns()?;
        drop(cache.reserve(GFP_ATOMIC | __GFP_ZERO)?);
        let failed = cache.reserve(GFP_KERNEL)?.pin_init(init!(Conn {
            number: 1,
            check: Err(EPERM)?,
        }? Error));
        assert!(failed.err() == Some(EPERM));
        assert!(change.events() == (2, 2, 0) && DROPS.load(Relaxed) == drops);
        Ok(())
    }

    /// The allocator's free pointer is located in the value or behind the object, never in the key.
    #[test]
    fn rcu_reserve_keeps_key() -> Result {
        let cache = conns()?;
        let mut slots = KVec::new();
        for _ in 0..500 {
            let slot = cache.reserve(GFP_KERNEL)?;
            assert!(slot.key().load(Relaxed) == 0);
            slots.push(slot, GFP_KERNEL)?;
        }
        if let Some(slot) = slots.pop() {
            let conn = slot.write(Conn::new(1));
            let pointer = crate::observe::cache(&*conn).map(|cache| cache.free_pointer as usize);
            let object = Conns::site().unit();
            assert!(pointer.is_none_or(|at| at < size_of::<Conn>() || at >= object));
        }
        Ok(())
    }

    /// The test frees more objects than the CPUs cache. The allocator links these objects and
    /// leaves the rest of their memory unchanged.
    #[test]
    fn rcu_get_after_free() -> Result {
        let cache = conns()?;
        let mut links = KVec::new();
        for number in 0..3000 {
            let link = RcuLink::<Conns>::new();
            link.replace(Some(conn(&cache, number)?));
            links.push(link, GFP_KERNEL)?;
        }
        let guard = rcu::read_lock();
        let mut found = KVec::with_capacity(links.len(), GFP_ATOMIC)?;
        for link in &links {
            let seen = link.load(&guard).ok_or(ENOENT)?;
            found.push_within_capacity(seen).map_err(|_| ENOMEM)?;
        }
        for link in &links {
            drop(link.replace(None));
        }
        let there = found.iter().filter(|seen| seen.get(|_| true).is_some());
        let other = (0..)
            .zip(&found)
            .filter(|(number, seen)| seen.key().load(Relaxed) != *number);
        assert!(there.count() + other.count() == 0);
        Ok(())
    }

    #[test]
    fn rcu_reserve_small_value() -> Result {
        let change = Change::of::<Bytes>();
        let cache = RcuCache::<Bytes>::new(Options::new())?;
        let mut bytes = KVec::new();
        for round in 0..3 {
            for byte in 0..200 {
                let slot = cache.reserve(GFP_KERNEL)?;
                bytes.push(slot.write(byte ^ round), GFP_KERNEL)?;
            }
            assert!(bytes.iter().map(|byte| **byte ^ round).eq(0..200));
            assert!(change.live().0 == 200);
            bytes.clear();
        }
        assert!(change.events() == (600, 600, 0));
        Ok(())
    }

    #[test]
    fn rcu_link_tree() -> Result {
        let change = Change::of::<Nodes>();
        let cache = RcuCache::<Nodes>::new(Options::new())?;
        let node = |number, parent: Option<&RcuRef<Nodes>>| -> Result<RcuRef<Nodes>> {
            let slot = cache.reserve(GFP_KERNEL)?;
            slot.key().store(number, Relaxed);
            Ok(slot.write(Node {
                number,
                left: RcuLink::new(),
                right: RcuLink::new(),
                parent: parent.cloned(),
            }))
        };
        let root = node(2, None)?;
        root.left.replace(Some(node(1, None)?));
        root.right.replace(Some(node(3, None)?));

        // A reader descends.
        let guard = rcu::read_lock();
        let find =
            |link: &RcuLink<Nodes>, number| link.load(&guard)?.get(|node| node.number == number);
        let left = find(&root.left, 1).ok_or(ENOENT)?;
        assert!(left.key().load(Relaxed) == 1 && left.left.load(&guard).is_none());
        assert!(find(&root.right, 3).is_some() && find(&root.right, 1).is_none());
        drop((guard, left));

        // Another reader ascends. Dropping the child also drops the parent.
        let child = node(4, Some(&root))?;
        drop(root);
        assert!(change.live().0 == 4);
        assert!(child.parent.as_ref().is_some_and(|root| root.number == 2));
        drop(child);
        assert!(change.live().0 == 0);
        Ok(())
    }

    #[test]
    fn rcu_free_with_key_locked() -> Result {
        let change = Change::of::<Lockeds>();
        let cache = RcuCache::<Lockeds>::new(Options::new())?;
        let link = RcuLink::<Lockeds>::new();
        for round in 0..3 {
            link.replace(Some(cache.reserve(GFP_KERNEL)?.write(1)));
            let guard = rcu::read_lock();
            let seen = link.load(&guard).ok_or(ENOENT)?;
            let mut number = seen.key().number.lock();
            // If this freed the memory, lockdep would report a held lock.
            drop(link.replace(None));
            assert!(seen.get(|_| true).is_none() && change.live().0 == 0);
            *number = round;
            drop(number);
            assert!(*seen.key().number.lock() == round);
        }
        // The cache is destroyed, although a deferred free may be pending.
        link.replace(Some(cache.reserve(GFP_KERNEL)?.write(1)));
        let guard = rcu::read_lock();
        let seen = link.load(&guard).ok_or(ENOENT)?;
        let number = seen.key().number.lock();
        drop((link, cache));
        drop(number);
        drop(guard);
        drop(RcuCache::<Lockeds>::new(Options::new())?);
        assert!(change.events() == (4, 4, 0));
        Ok(())
    }

    /// Takes some time, so that other threads run in between.
    fn slowly<T>(value: T) -> T {
        for _ in 0..200 {
            core::hint::spin_loop();
        }
        value
    }

    /// A thread that reads the table, or that waits for the others. The last one to drop completes
    /// `done`.
    struct Reader(Arc<Table>);

    impl Reader {
        fn of(table: &Arc<Table>) -> Self {
            table.readers.fetch_add(1, Relaxed);
            Reader(table.clone())
        }

        /// Searches for connections until the `stop` flag is set, and counts the results.
        fn read(&self) {
            let table = &self.0;
            let count = |counter: &Atomic<i32>, seen: bool| counter.add(i32::from(seen), Relaxed);
            let mut kept: Option<RcuRef<Conns>> = None;
            let mut next = 0;
            while table.stop.load(Acquire) == 0 {
                next = (next + 1) % LINKS;
                let guard = rcu::read_lock();
                let Some(seen) = table.links.get(next as usize).and_then(|l| l.load(&guard)) else {
                    continue;
                };
                let number = seen.key().load(Relaxed);
                slowly(());
                let found = seen.get(|conn| {
                    // Any object that is found is consistent and does not change.
                    let right = conn.is_whole() && conn.key().load(Relaxed) == conn.number;
                    count(&table.wrong, !right);
                    count(&table.others, conn.number != number);
                    conn.number == number
                });
                drop(guard);
                count(&table.held, found.is_some());
                count(&table.wrong, kept.is_some_and(|conn| !conn.is_whole()));
                kept = found;
            }
        }
    }

    impl Drop for Reader {
        fn drop(&mut self) {
            if self.0.readers.fetch_sub(1, ordering::Full) == 1 {
                self.0.done.complete_all();
            }
        }
    }

    /// The threads that read a table. Dropping this stops them, waits for them, and clears the
    /// links.
    struct Readers(Option<Reader>);

    impl Readers {
        fn start(table: &Arc<Table>, number: usize) -> Result<Self> {
            let readers = Readers(Some(Reader::of(table)));
            for _ in 0..number {
                let reader = Reader::of(table);
                workqueue::system_unbound().try_spawn(GFP_KERNEL, move || reader.read())?;
            }
            Ok(readers)
        }
    }

    impl Drop for Readers {
        fn drop(&mut self) {
            if let Some(last) = self.0.take() {
                let table = last.0.clone();
                table.stop.store(1, Release);
                drop(last);
                table.done.wait_for_completion();
                for link in &table.links {
                    link.replace(None);
                }
            }
        }
    }

    #[test]
    fn rcu_get_concurrent_with_reuse() -> Result {
        if !cfg!(CONFIG_SMP) {
            crate::case::skip!(c"one CPU: no concurrent readers");
        }
        let (change, drops) = (Change::of::<Conns>(), DROPS.load(Relaxed));
        let cache = conns()?;
        let table = Arc::pin_init(
            pin_init!(Table {
                links: core::array::from_fn(|_| RcuLink::new()),
                readers: Atomic::new(0),
                stop: Atomic::new(0),
                held: Atomic::new(0),
                others: Atomic::new(0),
                wrong: Atomic::new(0),
                done <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;
        let readers = Readers::start(&table, 3)?;

        // Each link gets one connection after the other, every other time in the same memory.
        let mut number = 0;
        let start = Instant::<Monotonic>::now();
        let sum = |what: &Atomic<i32>| what.load(Relaxed);
        // Runs until readers have seen enough, but at most five seconds.
        while start.elapsed().as_millis() < 5000
            && (number < 1000 || sum(&table.held) < 1000 || sum(&table.others) < 3)
        {
            number += 1;
            let Some(link) = table.links.get((number % LINKS) as usize) else {
                continue;
            };
            let slot = match link.replace(None).and_then(RcuRef::into_slot) {
                Some(slot) if number / LINKS % 2 == 0 => slot,
                _ => cache.reserve(GFP_KERNEL)?,
            };
            slot.key().store(number, Relaxed);
            let check = number ^ PATTERN;
            let conn = slot.pin_init(init!(Conn {
                number,
                check: slowly(check),
            }))?;
            drop(link.replace(Some(conn)));
        }
        drop(readers);

        assert!(sum(&table.wrong) == 0);
        assert!(sum(&table.held) > 0 && sum(&table.others) > 0);
        assert!(DROPS.load(Relaxed) as u64 - drops as u64 == number);
        assert!(change.live().0 == 0);
        Ok(())
    }
}
