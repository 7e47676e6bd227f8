// SPDX-License-Identifier: GPL-2.0-only

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

/// A published value; [`DROPS`] counts its drops.
struct Shared(u32);

static DROPS: Atomic<u32> = Atomic::new(0);

impl Drop for Shared {
    fn drop(&mut self) {
        DROPS.fetch_add(1, Relaxed);
    }
}

static SHARED: RcuStatic<Shared> = RcuStatic::new();

#[kunit_tests(kalloc_rcu_static)]
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
    fn rcu_static_get_until_dropped() -> Result {
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
            // A clone keeps the value alive.
            assert!(found.0 == number && DROPS.load(Relaxed) == before + number);
        }
        assert!(DROPS.load(Relaxed) == before + 3);
        Ok(())
    }

    /// The state that a reader and the test share.
    #[pin_data]
    struct Reading {
        #[pin]
        begun: Completion,
        #[pin]
        ended: Completion,
        /// Whether the reader still holds the RCU read lock, which protects the value that it
        /// found.
        reads: Atomic<i32>,
    }

    /// Holds the RCU read lock for some milliseconds, during which the value is unpublished.
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
    fn rcu_static_drop_waits_for_readers() -> Result {
        if !cfg!(CONFIG_SMP) {
            crate::case::skip!(c"one CPU: no concurrent reader");
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
    fn rcu_static_publish_twice() -> Result {
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
