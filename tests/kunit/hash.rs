// SPDX-License-Identifier: GPL-2.0

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

/// A table, and what its readers and its writer share.
#[pin_data]
struct Shared {
    #[pin]
    table: Table,
    readers: Atomic<i32>,
    stop: Atomic<i32>,
    /// Searches, and those with a wrong result.
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
            Instant,
            Monotonic, //
        },
        workqueue, //
    };

    fn table() -> Result<Pin<KBox<Table>>> {
        KBox::pin_init(Table::new(), GFP_KERNEL)
    }

    /// The value that a number has in these tests.
    fn square(number: u64) -> u64 {
        number.wrapping_mul(number)
    }

    /// Whether the table has these numbers, and no other.
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
    fn numbers_are_found_until_they_are_removed() -> Result {
        let change = Change::of::<Entries>();
        let table = table()?;
        assert!(table.get(7).is_none() && table.remove(7) == Err(ENOENT));
        for number in 0..100 {
            table.put(number, square(number))?;
        }
        assert!(has(&table, 0..100));
        assert!(table.get(100).is_none());
        // Chains of some entries, of which every other one goes.
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
    fn a_number_has_one_value() -> Result {
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
    fn a_table_grows_and_is_resized_both_ways() -> Result {
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
    fn a_resize_that_fails_changes_nothing() -> Result {
        let table = table()?;
        for number in 0..100 {
            table.put(number, square(number))?;
        }
        let size = table.size();
        for (buckets, error) in [
            (0, EINVAL),
            (100, EINVAL),
            (2 * Table::MAX_BUCKETS, EINVAL),
            // Chains of a hundred entries.
            (1, ENOSPC),
        ] {
            assert!(table.resize(buckets) == Err(error));
            assert!(table.size() == size && has(&table, 0..100));
        }
        // The links that the last one used are free again.
        table.resize(64)?;
        assert!(has(&table, 0..100));
        Ok(())
    }

    /// One who searches the table, or waits for those who do: the last to go says so.
    struct Reader(Arc<Shared>);

    impl Reader {
        fn of(shared: &Arc<Shared>) -> Self {
            shared.readers.fetch_add(1, Relaxed);
            Reader(shared.clone())
        }

        /// Searches for numbers until told to stop.
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

    /// Those who search a table. Once they are dropped, nobody does.
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

    /// The numbers that the table always has, and those that it has now and then.
    const ALWAYS: u64 = 40;
    const SOMETIMES: u64 = 24;

    #[test]
    fn readers_find_all_while_the_table_changes() -> Result {
        if !cfg!(CONFIG_SMP) {
            crate::case::skip!(c"one processor: nobody searches while the table changes");
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

        // Memory is reused: what is removed here is the entry that is inserted next.
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
        assert!(change.live().0 == 0);
        Ok(())
    }
}
