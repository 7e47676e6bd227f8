// SPDX-License-Identifier: GPL-2.0-only

//! Owned workqueues.

use crate::Change;
use kalloc::{
    sys::workqueue::{
        Workers,
        Workqueue, //
    },
    Arc,
    ArcInner,
    KVec, //
};
use kernel::{
    impl_has_work,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue::{
        new_work,
        Work,
        WorkItem, //
    }, //
};

/// The number of items that have run.
static RAN: Atomic<i32> = Atomic::new(0);

/// A slow item with memory of its own.
#[pin_data]
pub(crate) struct Job {
    order: i32,
    memory: KVec<u8, Memory>,
    /// The queue for further rounds, and their number.
    again: Option<kernel::sync::Arc<Workqueue>>,
    rounds: Atomic<i32>,
    #[pin]
    work: Work<Self>,
}

impl_has_work! {
    impl HasWork<Self> for Job { self.work }
}

impl WorkItem for Job {
    type Pointer = Arc<Self, Jobs>;

    fn run(this: Arc<Self, Jobs>) {
        fsleep(Delta::from_millis(10));
        if RAN.fetch_add(1, Relaxed) != this.order && this.order >= 0 {
            pr_err!("an item ran out of order\n");
            RAN.store(-1000, Relaxed);
        }
        let left = this.rounds.fetch_sub(1, Relaxed);
        if let Some(queue) = this.again.clone().filter(|_| left > 1) {
            let _ = queue.enqueue(this);
        }
    }
}

kalloc::sites! {
    pub(crate) Jobs: kmalloc(ArcInner<Job>), "kunit_workqueue_job";
    pub(crate) Memory: kmalloc([u8]), "kunit_workqueue_memory";
}

/// Returns an item that must be the one after `order` others, or may be any if it is negative.
fn job(order: i32, again: Option<kernel::sync::Arc<Workqueue>>) -> Result<Arc<Job, Jobs>> {
    let mut memory = KVec::new();
    memory.resize(1000, 7, GFP_KERNEL)?;
    Arc::pin_init(
        pin_init!(Job {
            order,
            memory,
            again,
            rounds: Atomic::new(3),
            work <- new_work!("kunit_workqueue"),
        }),
        GFP_KERNEL,
    )
}

#[kunit_tests(kalloc_workqueue)]
mod tests {
    use super::*;

    #[test]
    fn workqueue_drop_waits_for_items() -> Result {
        let (jobs, memory) = (Change::of::<Jobs>(), Change::of::<Memory>());
        for workers in [Workers::PerCpu, Workers::Unbound, Workers::Ordered] {
            RAN.store(0, Relaxed);
            let queue = Workqueue::new(c"kunit_drop", workers)?;
            for order in 0..8 {
                let order = if workers == Workers::Ordered {
                    order
                } else {
                    -1
                };
                assert!(queue.enqueue(job(order, None)?).is_ok());
            }
            drop(queue);
            assert_eq!(RAN.load(Relaxed), 8);
            assert_eq!((jobs.live(), memory.live()), ((0, 0, 0), (0, 0, 0)));
        }
        Ok(())
    }

    #[test]
    fn workqueue_flush_waits_for_items() -> Result {
        let jobs = Change::of::<Jobs>();
        RAN.store(0, Relaxed);
        let queue = Workqueue::new(c"kunit_flush", Workers::Unbound)?;
        let queued = job(-1, None)?;
        assert_eq!(queued.memory.len(), 1000);
        assert!(queue.enqueue(queued.clone()).is_ok());
        // An item that is queued already is given back.
        let back = queue.enqueue(queued.clone()).err();
        queue.flush();
        assert_eq!(RAN.load(Relaxed), if back.is_some() { 1 } else { 2 });
        assert!(Arc::into_unique_or_drop(queued).is_none() == back.is_some());
        drop(back);
        assert_eq!(jobs.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn workqueue_drop_waits_for_requeued_items() -> Result {
        let jobs = Change::of::<Jobs>();
        RAN.store(0, Relaxed);
        let queue = kernel::sync::Arc::new(
            Workqueue::new(c"kunit_again", Workers::Ordered)?,
            GFP_KERNEL,
        )?;
        assert!(queue.enqueue(job(-1, Some(queue.clone()))?).is_ok());
        for _ in 0..100 {
            if RAN.load(Relaxed) == 3 {
                break;
            }
            fsleep(Delta::from_millis(10));
        }
        queue.flush();
        // The item has given up its share, so that this drops the queue.
        let alone = kernel::sync::Arc::into_unique_or_drop(queue);
        assert!(alone.is_some());
        drop(alone);
        assert_eq!((RAN.load(Relaxed), jobs.live()), (3, (0, 0, 0)));
        Ok(())
    }

    #[test]
    fn workqueue_new_invalid() -> Result {
        let longest = c"kunit_a_name_of_31_characters_x";
        assert_eq!(longest.to_bytes().len(), Workqueue::MAX_NAME);
        drop(Workqueue::new(longest, Workers::Unbound)?);
        let longer = c"kunit_a_name_of_32_characters_xx";
        assert_eq!(Workqueue::new(longer, Workers::Unbound).err(), Some(EINVAL));
        if kalloc::sys::context::known_atomic() {
            return Err(EINVAL);
        }
        let guard = kernel::sync::rcu::read_lock();
        if kalloc::sys::context::known_atomic() {
            assert_eq!(
                Workqueue::new(c"kunit", Workers::Unbound).err(),
                Some(EAGAIN)
            );
        }
        drop(guard);
        Ok(())
    }
}
