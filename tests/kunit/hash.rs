// SPDX-License-Identifier: GPL-2.0-only

use crate::table::{
    Chains,
    Entry,
    Table, //
};
use kalloc::slab::{
    RcuLink,
    TypesafeByRcu, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Completion, //
    }, //
};

kalloc::sites! {
    pub(crate) Entries: cache(TypesafeByRcu<(), Entry>), "kunit_hash_entry";
    pub(crate) Tables: cache(TypesafeByRcu<(), Chains>), "kunit_hash_table";
    pub(crate) Heads: kvmalloc([RcuLink<Entries>]), "kunit_hash_heads";
}

/// A table, and the state that its readers and its writer share.
#[pin_data]
struct Shared {
    #[pin]
    table: Table,
    readers: Atomic<i32>,
    stop: Atomic<i32>,
    /// The number of searches, and of wrong results.
    searches: Atomic<i32>,
    wrong: Atomic<i32>,
    #[pin]
    done: Completion,
}

#[kunit_tests(kalloc_hash)]
mod tests {
    use super::*;
    use crate::Change;
    use kernel::{
        sync::{
            atomic::{
                ordering,
                Acquire,
                Release, //
            },
            Arc, //
        },
        time::{
            delay::fsleep,
            Delta,
            Instant,
            Monotonic, //
        },
        workqueue, //
    };

    fn table() -> Result<Pin<KBox<Table>>> {
        KBox::pin_init(Table::new(), GFP_KERNEL)
    }

    /// Returns the value of a number in these tests.
    fn square(number: u64) -> u64 {
        number.wrapping_mul(number)
    }

    /// Returns whether the table contains exactly these numbers.
    fn has(table: &Table, numbers: impl Iterator<Item = u64> + Clone) -> bool {
        let mut found = 0;
        for bucket in 0..table.size().1 {
            table.each(bucket, |number, value| {
                found += usize::from(value == square(number));
            });
        }
        table.size().0 == found
            && numbers.clone().count() == found
            && numbers
                .into_iter()
                .all(|number| table.get(number) == Some(square(number)))
    }

    #[test]
    fn table_get_until_removed() -> Result {
        let change = Change::of::<Entries>();
        let table = table()?;
        assert!(table.get(7).is_none() && table.remove(7) == Err(ENOENT));
        for number in 0..100 {
            table.put(number, square(number))?;
        }
        assert!(has(&table, 0..100));
        assert!(table.get(100).is_none());
        // The chains have several entries; every other entry is removed.
        table.resize(16)?;
        for number in (0..100).step_by(2) {
            assert!(table.remove(number) == Ok(square(number)));
            assert!(table.get(number).is_none());
        }
        assert!(has(&table, (1..100).step_by(2)));
        assert!(change.live().0 == 50);
        drop(table);
        assert!(change.live().0 == 0);
        Ok(())
    }

    #[test]
    fn table_put_replaces() -> Result {
        let change = Change::of::<Entries>();
        let table = table()?;
        table.put(7, 1)?;
        table.put(7, 2)?;
        assert!(table.get(7) == Some(2) && table.size().0 == 1);
        assert!(change.live().0 == 1);
        assert!(table.remove(7) == Ok(2) && table.get(7).is_none());
        Ok(())
    }

    #[test]
    fn table_resize() -> Result {
        let change = (Change::of::<Entries>(), Change::of::<Heads>());
        let table = table()?;
        for number in 0..300 {
            table.put(number, square(number))?;
        }
        assert!(table.size() == (300, 512));
        for buckets in [1024, 64, 4096, 128, 128] {
            table.resize(buckets)?;
            assert!(table.size() == (300, buckets) && has(&table, 0..300));
        }
        assert!((change.0.live().0, change.1.live().0) == (300, 1));
        drop(table);
        assert!((change.0.live().0, change.1.live().0) == (0, 0));
        Ok(())
    }

    #[test]
    fn table_resize_fails_unchanged() -> Result {
        let table = table()?;
        for number in 0..100 {
            table.put(number, square(number))?;
        }
        let size = table.size();
        for (buckets, error) in [
            (0, EINVAL),
            (100, EINVAL),
            (2 * Table::MAX_BUCKETS, EINVAL),
            // One chain would have a hundred entries.
            (1, ENOSPC),
        ] {
            assert!(table.resize(buckets) == Err(error));
            assert!(table.size() == size && has(&table, 0..100));
        }
        // The failed resize released its links.
        table.resize(64)?;
        assert!(has(&table, 0..100));
        Ok(())
    }

    /// A thread that searches the table, or that waits for the others. The last one to drop
    /// completes `done`.
    struct Reader(Arc<Shared>);

    impl Reader {
        fn of(shared: &Arc<Shared>) -> Self {
            shared.readers.fetch_add(1, Relaxed);
            Reader(shared.clone())
        }

        /// Searches for numbers until the `stop` flag is set.
        fn search(&self) {
            let shared = &self.0;
            let mut round = 0;
            while shared.stop.load(Acquire) == 0 {
                round += 1;
                let always = round % ALWAYS;
                let sometimes = ALWAYS + round % SOMETIMES;
                let found = shared.table.get(sometimes);
                let right = shared.table.get(always) == Some(square(always))
                    && found.is_none_or(|value| value == square(sometimes))
                    && shared.table.get(ALWAYS + SOMETIMES + round).is_none();
                shared.searches.add(3, Relaxed);
                shared.wrong.add(i32::from(!right), Relaxed);
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

    /// The threads that search a table. Dropping this stops them and waits for them.
    struct Readers(Option<Reader>);

    impl Readers {
        fn start(shared: &Arc<Shared>, number: usize) -> Result<Self> {
            let readers = Readers(Some(Reader::of(shared)));
            for _ in 0..number {
                let reader = Reader::of(shared);
                workqueue::system_unbound().try_spawn(GFP_KERNEL, move || reader.search())?;
            }
            Ok(readers)
        }
    }

    impl Drop for Readers {
        fn drop(&mut self) {
            if let Some(last) = self.0.take() {
                let shared = last.0.clone();
                shared.stop.store(1, Release);
                drop(last);
                shared.done.wait_for_completion();
            }
        }
    }

    /// The numbers that are always in the table, and those that are inserted and removed.
    const ALWAYS: u64 = 40;
    const SOMETIMES: u64 = 24;

    #[test]
    fn table_get_concurrent_with_resize() -> Result {
        if !cfg!(CONFIG_SMP) {
            crate::case::skip!(c"one CPU: no concurrent readers");
        }
        let change = Change::of::<Entries>();
        let shared = Arc::pin_init(
            try_pin_init!(Shared {
                table <- Table::new(),
                readers: Atomic::new(0),
                stop: Atomic::new(0),
                searches: Atomic::new(0),
                wrong: Atomic::new(0),
                done <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;
        let table = &shared.table;
        for number in 0..ALWAYS {
            table.put(number, square(number))?;
        }
        let readers = Readers::start(&shared, 3)?;

        // An insertion reuses the memory of the entry that was removed last.
        let start = Instant::<Monotonic>::now();
        let (mut resizes, mut changes) = (0, 0);
        while start.elapsed().as_millis() < 5000
            && (resizes < 60 || changes < 3000 || shared.searches.load(Relaxed) < 3000)
        {
            for number in ALWAYS..ALWAYS + SOMETIMES {
                table.put(number, square(number))?;
            }
            for number in ALWAYS..ALWAYS + SOMETIMES {
                table.remove(number)?;
            }
            changes += 2 * SOMETIMES;
            table.resize(8 << (resizes % 4 * 3))?;
            resizes += 1;
        }
        drop(readers);

        assert!(shared.wrong.load(Relaxed) == 0);
        assert!(shared.searches.load(Relaxed) > 0 && resizes > 0);
        assert!(has(table, 0..ALWAYS));
        drop(shared);
        // The last reader ends the wait before it drops its reference.
        let start = Instant::<Monotonic>::now();
        while change.live().0 != 0 && start.elapsed().as_millis() < 5000 {
            fsleep(Delta::from_millis(1));
        }
        assert!(change.live().0 == 0);
        Ok(())
    }
}
