// SPDX-License-Identifier: GPL-2.0-only

//! Workqueues with an owner.
//!
//! [`kernel::workqueue`] has only the system's queues. An item on one of them may outlive the driver
//! that queued it: its function then runs after the driver's code is unloaded. The owner of a
//! [`Workqueue`] waits for all items when it is dropped.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::sys::{
    bindings,
    context, //
};
use core::ptr::NonNull;
use kernel::{
    ffi::{
        c_int,
        c_uint, //
    },
    prelude::*,
    workqueue::{
        Queue,
        RawWorkItem, //
    }, //
};

/// The workers of a [`Workqueue`].
///
/// # Examples
///
/// ```
/// use kalloc::sys::workqueue::{Workers, Workqueue};
///
/// // The queue's items run one after the other, in the order in which they were queued.
/// let queue = Workqueue::new(c"doc_workers", Workers::Ordered)?;
/// queue.flush();
/// let name = c"a_name_that_has_32_characters_xx";
/// assert!(name.to_bytes().len() > Workqueue::MAX_NAME);
/// assert_eq!(Workqueue::new(name, Workers::Unbound).err(), Some(EINVAL));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// An item runs on the CPU that queued it (`WQ_PERCPU`).
    PerCpu,
    /// An item runs on any CPU (`WQ_UNBOUND`).
    Unbound,
    /// One item runs at a time, in the order of the queue (`alloc_ordered_workqueue()`).
    Ordered,
}

impl Workers {
    /// Returns the flags, and the number of items that run at the same time; 0 is the kernel's
    /// default.
    fn as_raw(self) -> (c_uint, c_int) {
        match self {
            Workers::PerCpu => (bindings::wq_flags_WQ_PERCPU, 0),
            Workers::Unbound => (bindings::wq_flags_WQ_UNBOUND, 0),
            Workers::Ordered => (
                bindings::wq_flags_WQ_UNBOUND | bindings::wq_flags___WQ_ORDERED,
                1,
            ),
        }
    }
}

/// An owned workqueue (`struct workqueue_struct`).
///
/// Dropping it waits until all items have run, including those that they queue in turn. A driver
/// that keeps its workqueue in its data is therefore never unloaded under an item, unless it leaks
/// the workqueue or drops it in atomic context, which leaks it with a message. An item that
/// queues itself without end keeps the drop from returning.
///
/// There are no delayed items: the kernel does not know the timers of a workqueue, so that a drop
/// could not wait for them.
///
/// # Context
///
/// Creating, flushing and dropping sleep. An item of the queue must do neither: it would wait for
/// itself. A queue that is dropped where the context is known to be atomic is leaked, with a message
/// in the log. Queueing an item is allowed in any context but NMI.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     sys::workqueue::{Workers, Workqueue},
///     Arc, ArcInner, Tag,
/// };
/// use kernel::{
///     impl_has_work,
///     sync::atomic::{Atomic, Relaxed},
///     workqueue::{new_work, Work, WorkItem},
/// };
///
/// static SUM: Atomic<u64> = Atomic::new(0);
///
/// #[pin_data]
/// struct Job {
///     number: u64,
///     #[pin]
///     work: Work<Self>,
/// }
///
/// impl_has_work! {
///     impl HasWork<Self> for Job { self.work }
/// }
///
/// impl WorkItem for Job {
///     type Pointer = Arc<Self, Jobs>;
///
///     fn run(this: Arc<Self, Jobs>) {
///         SUM.fetch_add(this.number, Relaxed);
///     }
/// }
///
/// kalloc::sites! {
///     Jobs: kmalloc(ArcInner<Job>), "doc_workqueue";
/// }
///
/// let queue = Workqueue::new(c"doc_workqueue", Workers::Unbound)?;
/// # SUM.store(0, Relaxed);
/// for number in 1..=4 {
///     let job = pin_init!(Job { number, work <- new_work!("doc_workqueue") });
///     let job = Arc::<Job, Jobs>::pin_init(job, GFP_KERNEL)?;
///     queue.enqueue(job).map_err(|_| EBUSY)?;
/// }
/// // From now on, no item runs, and none is left.
/// drop(queue);
/// assert_eq!(SUM.load(Relaxed), 10);
/// assert_eq!(Jobs::site().totals().live(), 0);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `ptr` is a live workqueue that nothing else destroys. No delayed item was queued on it.
pub struct Workqueue {
    ptr: NonNull<bindings::workqueue_struct>,
}

// SAFETY: The C functions of a workqueue do their own locking, and may be called by any thread.
unsafe impl Send for Workqueue {}
// SAFETY: The C functions of a workqueue do their own locking, and may be called by several threads
// at once.
unsafe impl Sync for Workqueue {}

impl Workqueue {
    /// The longest name in bytes, one less than C's private `WQ_NAME_LEN`. C would shorten a longer
    /// name, with a warning.
    pub const MAX_NAME: usize = 31;

    /// Creates a workqueue.
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// - [`EAGAIN`] if the caller is known to be in atomic context.
    /// - [`EINVAL`] if the name is longer than [`MAX_NAME`](Self::MAX_NAME).
    /// - [`ENOMEM`] if there is not enough memory.
    pub fn new(name: &CStr, workers: Workers) -> Result<Self> {
        if context::known_atomic() {
            return Err(EAGAIN);
        }
        if name.to_bytes().len() > Self::MAX_NAME {
            return Err(EINVAL);
        }
        let (flags, max_active) = workers.as_raw();
        // SAFETY: The name is a C string, which C copies.
        let ptr = unsafe {
            bindings::kalloc_helper_alloc_workqueue(name.as_char_ptr(), flags, max_active)
        };
        // INVARIANT: The workqueue is new.
        Ok(Workqueue {
            ptr: NonNull::new(ptr).ok_or(ENOMEM)?,
        })
    }

    /// Queues an item, unless it is on a queue already.
    ///
    /// The result is that of the item's pointer: an `Arc` that is on a queue already is given back.
    ///
    /// # Context
    ///
    /// Any but NMI.
    pub fn enqueue<W, const ID: u64>(&self, item: W) -> W::EnqueueOutput
    where
        W: RawWorkItem<ID> + Send + 'static,
    {
        // SAFETY: By the type invariants, the workqueue is live while `self` is borrowed.
        let queue = unsafe { Queue::from_raw(self.ptr.as_ptr()) };
        // The item is queued without a delay, as the invariants require.
        queue.enqueue(item)
    }

    /// Waits until the items have run that are on the queue now.
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    pub fn flush(&self) {
        // SAFETY: By the type invariants, the workqueue is live.
        unsafe { bindings::kalloc_helper_flush_workqueue(self.ptr.as_ptr()) };
    }
}

impl Drop for Workqueue {
    fn drop(&mut self) {
        if context::known_atomic() {
            pr_err!("a workqueue is leaked: it was dropped where nothing may sleep\n");
            return;
        }
        // SAFETY: By the type invariants, the workqueue is live, and no timer will queue an item.
        // The call waits for all items, and nothing queues one afterwards, because nothing borrows
        // `self`.
        unsafe { bindings::destroy_workqueue(self.ptr.as_ptr()) };
    }
}
