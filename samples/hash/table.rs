// SPDX-License-Identifier: GPL-2.0-only

//! A hash table that readers search without a lock, even while it is resized.
//!
//! An entry is an object of a type-safe cache, which may become another entry while a reader has
//! it. All chains consist of links that own their entries. The table is such an object as well, so
//! that a resize replaces it with a single link.
//!
//! # Guarantees for readers
//!
//! Writers hold a mutex. A new entry is linked at the head of a chain, after its own link is set to
//! the former head. From any entry, removed or not, a reader therefore reaches all older entries of
//! the chain that still exist. A reader that follows a link to a reused entry detects this by the
//! bucket of the entry. If the bucket is the same, the new entry is at the head of the chain, and
//! the reader misses nothing.
//!
//! # Resizing
//!
//! An entry has two links, for tables of even and of odd *generations*. A resize chains all entries
//! again by the links that no reader uses, and publishes the table of these chains. It waits for a
//! grace period, and takes the old chains apart. No entry is inserted or removed in between, so
//! that both tables have the same entries. The method is that of Herbert Xu's resizable table in
//! the kernel's bridge.
//!
//! Reference: Paul E. McKenney, *Is Parallel Programming Hard*, "Data Structures".

#![deny(unsafe_code)]

use crate::hash::{
    Entries,
    Heads,
    Tables, //
};
use kalloc::{
    slab::{
        Options,
        RcuCache,
        RcuLink,
        RcuRef, //
    }, //
    KVVec,
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        rcu::{
            self,
            Guard, //
        },
        Mutex, //
    }, //
};

/// An entry: a number and its value.
pub(crate) struct Entry {
    number: u64,
    value: Atomic<u64>,
    even: RcuLink<Entries>,
    odd: RcuLink<Entries>,
}

/// The chains of one generation.
pub(crate) struct Chains {
    heads: KVVec<RcuLink<Entries>, Heads>,
    generation: u64,
}

/// An error: the reader's entry was reused in another chain, and the search must start again.
struct Astray;

impl Chains {
    /// Returns `buckets` empty chains.
    fn new(buckets: usize, generation: u64) -> Result<Self> {
        let mut heads = KVVec::with_capacity(buckets, GFP_KERNEL)?;
        for _ in 0..buckets {
            heads.push(RcuLink::new(), GFP_KERNEL)?;
        }
        Ok(Chains { heads, generation })
    }

    /// Returns the bucket of a number: some bits of its product with the golden ratio, as in
    /// `hash_64()`.
    fn bucket(&self, number: u64) -> usize {
        let hash = number.wrapping_mul(0x61c8_8646_80b5_83eb);
        // CAST: The upper half fits into a `usize`.
        (hash >> 32) as usize & (self.heads.len() - 1)
    }

    /// Returns the link of the entry `at`, or the head of `bucket`.
    fn link<'a>(
        &'a self,
        bucket: usize,
        at: Option<&'a RcuRef<Entries>>,
    ) -> Option<&'a RcuLink<Entries>> {
        match at {
            None => self.heads.get(bucket),
            Some(entry) if self.generation % 2 == 0 => Some(&entry.even),
            Some(entry) => Some(&entry.odd),
        }
    }

    /// Follows a chain, for readers and writers.
    ///
    /// Calls `visit` with each entry and the link to it, until `visit` returns a value.
    fn find<R>(
        &self,
        bucket: usize,
        guard: &Guard,
        mut visit: impl FnMut(&RcuRef<Entries>, &RcuLink<Entries>) -> Option<R>,
    ) -> Result<Option<R>, Astray> {
        let mut at = None;
        loop {
            let Some(link) = self.link(bucket, at.as_ref()) else {
                return Ok(None);
            };
            let Some(seen) = link.load(guard) else {
                return Ok(None);
            };
            let entry = seen
                .get(|entry| self.bucket(entry.number) == bucket)
                .ok_or(Astray)?;
            if let Some(found) = visit(&entry, link) {
                return Ok(Some(found));
            }
            at = Some(entry);
        }
    }

    /// Links an entry at the head of its chain. No reader may have these chains, or use this link
    /// of the entry.
    fn push(&self, entry: RcuRef<Entries>) {
        let bucket = self.bucket(entry.number);
        if let Some(head) = self.link(bucket, None) {
            if let Some(next) = self.link(bucket, Some(&entry)) {
                next.replace(head.replace(None));
            }
            head.replace(Some(entry));
        }
    }

    /// Returns whether no chain is longer than [`Table::MAX_CHAIN`].
    fn are_short(&self) -> bool {
        (0..self.heads.len()).all(|bucket| self.length(bucket) <= Table::MAX_CHAIN)
    }

    /// Returns the number of entries in a chain that does not change.
    fn length(&self, bucket: usize) -> usize {
        let mut length = 0;
        let guard = rcu::read_lock();
        // The search does not fail, because the chain does not change.
        let _ = self.find(bucket, &guard, |_, _| {
            length += 1;
            None::<()>
        });
        length
    }

    /// Takes the chains apart, one entry at a time, because dropping a head would drop the rest
    /// recursively.
    fn clear(&self) {
        for head in &self.heads {
            let mut first = head.replace(None);
            while let Some(entry) = first {
                let next = self.link(0, Some(&entry));
                first = next.and_then(|next| next.replace(None));
            }
        }
    }
}

impl Drop for Chains {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The table of numbers with values.
#[pin_data]
pub(crate) struct Table {
    /// The chains that readers start from. They own the entries.
    chains: RcuLink<Tables>,
    entries: RcuCache<Entries>,
    tables: RcuCache<Tables>,
    /// The number of entries. Writers hold this lock.
    #[pin]
    len: Mutex<usize>,
}

impl Table {
    /// The maximum length of a chain.
    ///
    /// The maximum bounds the search of a reader. It also bounds the recursion that frees a chain
    /// whose entries were removed one after the other while a reader held the first.
    pub(crate) const MAX_CHAIN: usize = 16;

    /// The maximum number of buckets.
    pub(crate) const MAX_BUCKETS: usize = 1 << 16;

    /// Returns an initializer of an empty table with one bucket.
    ///
    /// # Errors
    ///
    /// The errors of creating the caches.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let (entries, tables) = (
                RcuCache::new(Options::new())?,
                RcuCache::<Tables>::new(Options::new())?,
            );
            let chains = RcuLink::new();
            chains.replace(Some(tables.reserve(GFP_KERNEL)?.write(Chains::new(1, 0)?)));
            Ok(try_pin_init!(Table {
                chains,
                entries,
                tables,
                len <- new_mutex!(0),
            }? Error))
        })
    }

    /// Returns the current chains. While `guard` is held, they only change by insertions and
    /// removals.
    fn chains(&self, guard: &Guard) -> Option<RcuRef<Tables>> {
        // The last resize drops its reference after a grace period, so that a reference can always
        // be taken.
        self.chains.load(guard)?.get(|_| true)
    }

    /// Returns the value of a number.
    ///
    /// # Context
    ///
    /// Any but NMI. Takes no lock.
    pub(crate) fn get(&self, number: u64) -> Option<u64> {
        let guard = rcu::read_lock();
        let chains = self.chains(&guard)?;
        let value = |entry: &RcuRef<Entries>, _: &RcuLink<Entries>| {
            (entry.number == number).then(|| entry.value.load(Relaxed))
        };
        loop {
            if let Ok(found) = chains.find(chains.bucket(number), &guard, value) {
                return found;
            }
        }
    }

    /// Sets the value of a number. The table grows if it has more entries than buckets.
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// - [`ENOSPC`] if the chain of the number is full.
    /// - [`ENOMEM`] if there is not enough memory. If only growing fails, the number is in the
    ///   table.
    pub(crate) fn put(&self, number: u64, value: u64) -> Result {
        let mut len = self.len.lock();
        let slot = self.entries.reserve(GFP_KERNEL)?;
        let guard = rcu::read_lock();
        let chains = self.chains(&guard).ok_or(EINVAL)?;
        let (bucket, mut length) = (chains.bucket(number), 0);
        let change = |entry: &RcuRef<Entries>, _: &RcuLink<Entries>| {
            length += 1;
            (entry.number == number).then(|| entry.value.store(value, Relaxed))
        };
        if let Ok(Some(())) = chains.find(bucket, &guard, change) {
            return Ok(());
        }
        let head = chains.link(bucket, None).ok_or(EINVAL)?;
        if length >= Self::MAX_CHAIN {
            return Err(ENOSPC);
        }
        // A reader may find the entry as soon as it is written, before it is linked.
        let next = head.load(&guard).and_then(|first| first.get(|_| true));
        let (even, odd) = (RcuLink::new(), RcuLink::new());
        match chains.generation % 2 {
            0 => even.replace(next),
            _ => odd.replace(next),
        };
        head.replace(Some(slot.write(Entry {
            number,
            value: Atomic::new(value),
            even,
            odd,
        })));
        *len += 1;
        let buckets = chains.heads.len();
        drop((chains, guard));
        if *len > buckets && buckets < Self::MAX_BUCKETS {
            // A failed resize is not an error; the next insertion tries again.
            let _ = self.rebuild(buckets * 2);
        }
        Ok(())
    }

    /// Removes a number and returns its value.
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// [`ENOENT`] if the table has no such number.
    pub(crate) fn remove(&self, number: u64) -> Result<u64> {
        let mut len = self.len.lock();
        let guard = rcu::read_lock();
        let chains = self.chains(&guard).ok_or(EINVAL)?;
        let bucket = chains.bucket(number);
        let unlink = |entry: &RcuRef<Entries>, link: &RcuLink<Entries>| {
            (entry.number == number).then(|| {
                // The entry keeps its own link, for readers that have reached it.
                let next = chains.link(bucket, Some(entry));
                let next = next.and_then(|next| next.load(&guard)?.get(|_| true));
                link.replace(next);
                entry.value.load(Relaxed)
            })
        };
        let removed = chains.find(bucket, &guard, unlink);
        let value = removed.ok().flatten().ok_or(ENOENT)?;
        *len -= 1;
        Ok(value)
    }

    /// Changes the number of buckets.
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if the number is not a power of two from 1 to
    ///   [`MAX_BUCKETS`](Self::MAX_BUCKETS).
    /// - [`ENOSPC`] if a chain would be longer than [`MAX_CHAIN`](Self::MAX_CHAIN).
    /// - [`ENOMEM`] if there is not enough memory.
    ///
    /// The table is unchanged in these cases.
    pub(crate) fn resize(&self, buckets: usize) -> Result {
        if !buckets.is_power_of_two() || buckets > Self::MAX_BUCKETS {
            return Err(EINVAL);
        }
        let _len = self.len.lock();
        self.rebuild(buckets)
    }

    /// Chains all entries again, in `buckets` chains. The caller must hold the lock of the writers.
    fn rebuild(&self, buckets: usize) -> Result {
        let slot = self.tables.reserve(GFP_KERNEL)?;
        let old = self.chains(&rcu::read_lock()).ok_or(EINVAL)?;
        let new = Chains::new(buckets, old.generation + 1)?;
        for bucket in 0..old.heads.len() {
            let guard = rcu::read_lock();
            let _ = old.find(bucket, &guard, |entry, _| {
                new.push(entry.clone());
                None::<()>
            });
        }
        if !new.are_short() {
            return Err(ENOSPC);
        }
        // The replaced reference is another one to `old`.
        drop(self.chains.replace(Some(slot.write(new))));
        // After the grace period, no reader is left in the old chains.
        rcu::synchronize_rcu();
        old.clear();
        Ok(())
    }

    /// Returns the numbers of entries and of buckets.
    pub(crate) fn size(&self) -> (usize, usize) {
        let len = self.len.lock();
        let chains = self.chains(&rcu::read_lock());
        (*len, chains.map_or(0, |chains| chains.heads.len()))
    }

    /// Calls `f` with each number of a bucket and its value. Returns `None` if there is no such
    /// bucket.
    pub(crate) fn each(&self, bucket: usize, mut f: impl FnMut(u64, u64)) -> Option<()> {
        // Unlike readers, this function takes the lock, so that it visits each entry once.
        let _len = self.len.lock();
        let guard = rcu::read_lock();
        let chains = self.chains(&guard)?;
        let head = chains.heads.get(bucket);
        let _ = chains.find(bucket, &guard, |entry, _| {
            f(entry.number, entry.value.load(Relaxed));
            None::<()>
        });
        head.map(|_| ())
    }
}
