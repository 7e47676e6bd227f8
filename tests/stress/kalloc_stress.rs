// SPDX-License-Identifier: GPL-2.0-only

//! Checks that the counters are exact. Workers on all CPUs allocate, resize and free through every
//! family, with various flags and on any node. They run in process context, in softirqs and in a
//! timer interrupt, and keep their own tally. At the end, the counters of the sites must equal the
//! tallies to the last byte.
//!
//! The work is done while the module loads, so that loading fails if a number is wrong. Meanwhile
//! user space may read the files and take CPUs offline.

#![deny(unsafe_code)]

use core::convert::Infallible;
use kernel::{
    impl_has_work,
    prelude::*,
    static_lock_class,
    sync::{
        atomic::{
            ordering,
            Atomic, //
        },
        new_mutex,
        Arc,
        Completion,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue::{
        self,
        Work,
        WorkItem, //
    }, //
};

#[expect(unsafe_code)] // The module calls C helpers.
#[allow(dead_code)] // Only the suites count freed pages.
#[path = "../../rust/testing/block.rs"]
mod block;
mod held;
mod tally;
mod tick;

use self::{
    held::{
        Held,
        Kind,
        Source, //
    },
    tally::{
        Tallies,
        Tally, //
    }, //
};

module! {
    type: Stress,
    name: "kalloc_stress",
    authors: ["The kalloc authors"],
    description: "Checks that the counters of kalloc are exact",
    license: "GPL",
    params: {
        workers: u32 {
            default: 8,
            description: "Workers in process context; half as many again in softirqs",
        },
        ops: u32 {
            default: 100000,
            description: "Operations of all workers together, at least",
        },
        seed: u32 {
            default: 0,
            description: "Seed of the workers' random numbers",
        },
        miscount: u32 {
            default: 0,
            description: "Blocks that no worker tallies, so that a test can check that the module fails",
        },
    },
}

/// The largest number of live blocks, without those that workers hold.
const SLOTS: usize = 1024;

/// The number of operations after which a worker is queued again, possibly on another CPU.
const CHUNK: u32 = 1000;

/// The state that all workers share.
#[pin_data]
struct Shared {
    tallies: Tallies,
    source: Source,
    /// The blocks that any worker may free.
    #[pin]
    slots: Mutex<KVec<Option<Held>>>,
    running: Atomic<i32>,
    #[pin]
    done: Completion,
}

/// A worker, between two chunks.
struct Worker {
    shared: Arc<Shared>,
    random: u32,
    left: u32,
    /// In softirqs: the blocks that the worker holds itself.
    own: Option<[Option<Held>; 8]>,
}

impl Worker {
    /// Returns the next random number (xorshift).
    fn random(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random
    }

    /// Does some of the work and queues the rest. The last worker to finish completes `done`.
    fn run(mut self) {
        loop {
            self.chunk();
            if self.left == 0 {
                break;
            }
            let softirq = self.own.is_some();
            self = match self.queue(softirq) {
                None => return,
                Some(worker) => worker,
            };
        }
        let shared = self.shared;
        if shared.running.fetch_sub(1, ordering::Full) == 1 {
            shared.done.complete_all();
        }
    }

    /// Queues the worker. If that needs memory and fails, returns the worker with its blocks, which
    /// then continues on this CPU.
    fn queue(self, softirq: bool) -> Option<Self> {
        // Lockdep treats work in threads and work in softirqs as different classes.
        let (queue, flags, class) = if softirq {
            (workqueue::system_bh(), GFP_ATOMIC, static_lock_class!())
        } else {
            (
                workqueue::system_unbound(),
                GFP_KERNEL,
                static_lock_class!(),
            )
        };
        let Ok(room) = KBox::new_uninit(flags | __GFP_NOWARN) else {
            return Some(self);
        };
        let Ok(queued) = room.write_pin_init::<Infallible>(pin_init!(Queued {
            work <- Work::new(c"kalloc_stress::Worker", class),
            worker: Some(self),
        }));
        queue.enqueue(queued);
        None
    }

    /// Does some of the work, and tallies it.
    fn chunk(&mut self) {
        let mut tally = Tally::default();
        for _ in 0..self.left.min(CHUNK) {
            self.step(&mut tally);
        }
        self.left -= self.left.min(CHUNK);
        if self.left == 0 {
            for held in self.own.iter_mut().flatten().filter_map(Option::take) {
                tally.free(&held);
            }
        }
        self.shared.tallies.add(&tally);
    }

    /// Allocates a block in place of another one, or resizes that one.
    fn step(&mut self, tally: &mut Tally) {
        tally.step();
        let (kind, size, slot) = (self.random(), self.random(), self.random() as usize);
        let shared = self.shared.clone();
        if let Some(own) = &mut self.own {
            let kind = Kind::atomic(kind);
            let new = tally.alloc(kind, || shared.source.alloc(kind, size, GFP_ATOMIC));
            let old = core::mem::replace(&mut own[slot % own.len()], new);
            old.inspect(|old| tally.free(old));
            return;
        }
        let swap = |new| {
            shared
                .slots
                .lock()
                .get_mut(slot % SLOTS)
                .and_then(|s| core::mem::replace(s, new))
        };
        let flags = match kind >> 29 {
            0 => GFP_NOWAIT,
            1 => GFP_ATOMIC,
            2 => GFP_KERNEL_ACCOUNT,
            _ => GFP_KERNEL,
        };
        let kind = Kind::any(kind);
        let new = tally.alloc(kind, || shared.source.alloc(kind, size, flags));
        if let Some(mut old) = swap(new) {
            tally.resize(&mut old, size);
            tally.free(&old);
        }
    }
}

/// A queued worker. Wraps a [`Work`] (`struct work_struct`).
#[pin_data]
struct Queued {
    #[pin]
    work: Work<Self>,
    worker: Option<Worker>,
}

impl_has_work! {
    impl HasWork<Self> for Queued { self.work }
}

impl WorkItem for Queued {
    type Pointer = Pin<KBox<Self>>;

    fn run(mut this: Pin<KBox<Self>>) {
        let worker = this.as_mut().project().worker.take();
        drop(this);
        if let Some(worker) = worker {
            worker.run();
        }
    }
}

struct Stress;

impl kernel::Module for Stress {
    #[expect(clippy::clone_on_copy)] // On Linux 7.2, this is a reference to the parameter.
    fn init(module: &'static ThisModule) -> Result<Self> {
        let (workers, ops) = (
            module_parameters::workers.value().clone(),
            module_parameters::ops.value().clone(),
        );
        let seed = module_parameters::seed.value().wrapping_mul(0x85eb_ca6b);
        if !(1..=1024).contains(&workers) {
            return Err(EINVAL);
        }
        kalloc::register(module, held::SITES)?;
        kalloc::register(module, tick::SITES)?;

        let mut slots = KVec::new();
        for _ in 0..SLOTS {
            slots.push(None, GFP_KERNEL)?;
        }
        let source = Source::new()?;
        let softirq_workers = workers.div_ceil(2);
        let all = workers + softirq_workers;
        let shared = Arc::pin_init(
            pin_init!(Shared {
                tallies: Tallies::new(),
                source,
                slots <- new_mutex!(slots),
                // CAST: At most 1536.
                running: Atomic::new(all as i32),
                done <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;

        let tick = tick::start()?;
        for number in 0..all {
            let worker = Worker {
                shared: shared.clone(),
                // Any number but 0, at which a xorshift stays.
                random: (0x9e37_79b9 ^ (number + 1) ^ seed).max(1),
                left: ops.div_ceil(all),
                own: (number >= workers).then(Default::default),
            };
            // A worker for softirqs starts in a thread, which may run on any CPU.
            if let Some(worker) = worker.queue(false) {
                worker.run();
            }
        }
        shared.done.wait_for_completion();
        let ticks = tick.stop();
        // The last worker may still be executing the end of this module's code.
        fsleep(Delta::from_millis(100));

        for _ in 0..module_parameters::miscount.value().clone() {
            drop(shared.source.alloc(Kind(0), 0, GFP_KERNEL)?);
        }
        let mut wrong = shared.tallies.differences("with blocks live");
        wrong += tick::differences(ticks);
        let mut last = Tally::default();
        for held in shared.slots.lock().iter_mut().filter_map(Option::take) {
            last.free(&held);
        }
        shared.tallies.add(&last);
        wrong += shared.tallies.differences("at rest");
        wrong += shared.tallies.live();

        let done = shared.tallies.steps();
        pr_info!(
            "{done} operations by {all} workers, {} interrupts: {wrong} numbers wrong\n",
            ticks[0]
        );
        if wrong != 0 || done < u64::from(ops) {
            return Err(EIO);
        }
        Ok(Stress)
    }
}
