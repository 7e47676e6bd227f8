// SPDX-License-Identifier: GPL-2.0

use kalloc::sys::rcu_static::RcuStatic;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

/// What is shared, and how often it was dropped.
struct Shared(u32);

static DROPS: Atomic<u32> = Atomic::new(0);

impl Drop for Shared {
    fn drop(&mut self) {
        DROPS.fetch_add(1, Relaxed);
    }
}

static SHARED: RcuStatic<Shared> = RcuStatic::new();

#[kunit_tests(kalloc_global)]
mod tests {
    use super::*;
    use kernel::{
        sync::{
            rcu,
            Completion, //
        },
        time::{
            Instant,
            Monotonic, //
        },
        workqueue, //
    };

    #[test]
    fn what_is_published_is_found_until_it_is_taken_back() -> Result {
        let before = DROPS.load(Relaxed);
        assert!(SHARED.get().is_none());
        for number in 0..3 {
            let published = SHARED.publish(Arc::new(Shared(number), GFP_KERNEL)?)?;
            let found = SHARED.get().ok_or(ENOENT)?;
            assert!(found.0 == number);
            assert!(SHARED
                .get()
                .is_some_and(|again| Arc::ptr_eq(&again, &found)));
            drop(published);
            assert!(SHARED.get().is_none());
            // Who has found it keeps it.
            assert!(found.0 == number && DROPS.load(Relaxed) == before + number);
        }
        assert!(DROPS.load(Relaxed) == before + 3);
        Ok(())
    }

    /// What a thread does that reads for a while.
    #[pin_data]
    struct Reading {
        #[pin]
        begun: Completion,
        #[pin]
        ended: Completion,
        /// Whether the reader has still the RCU read lock, which keeps what it has found.
        reads: Atomic<i32>,
    }

    /// Reads for some milliseconds, in which what was published is taken back.
    fn read(reading: &Reading) {
        let guard = rcu::read_lock();
        reading.reads.store(1, Relaxed);
        reading.begun.complete_all();
        let start = Instant::<Monotonic>::now();
        while start.elapsed().as_millis() < 50 {
            core::hint::spin_loop();
        }
        reading.reads.store(0, Relaxed);
        drop(guard);
        reading.ended.complete_all();
    }

    #[test]
    fn published_drop_waits_for_readers() -> Result {
        if !cfg!(CONFIG_SMP) {
            crate::case::skip!(c"one processor: nobody reads meanwhile");
        }
        let published = SHARED.publish(Arc::new(Shared(4), GFP_KERNEL)?)?;
        let reading = Arc::pin_init(
            pin_init!(Reading {
                begun <- Completion::new(),
                ended <- Completion::new(),
                reads: Atomic::new(0),
            }),
            GFP_KERNEL,
        )?;
        let reader = reading.clone();
        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || read(&reader))?;
        reading.begun.wait_for_completion();
        drop(published);
        let waited = reading.reads.load(Relaxed) == 0;
        reading.ended.wait_for_completion();
        assert!(waited);
        Ok(())
    }

    #[test]
    fn there_is_one_at_a_time() -> Result {
        let before = DROPS.load(Relaxed);
        let published = SHARED.publish(Arc::new(Shared(1), GFP_KERNEL)?)?;
        let second = SHARED.publish(Arc::new(Shared(2), GFP_KERNEL)?);
        assert!(second.err() == Some(EBUSY) && DROPS.load(Relaxed) == before + 1);
        assert!(SHARED.get().is_some_and(|found| found.0 == 1));
        drop(published);
        assert!(SHARED.get().is_none() && DROPS.load(Relaxed) == before + 2);
        Ok(())
    }
}
