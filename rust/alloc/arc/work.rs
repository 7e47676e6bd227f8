// SPDX-License-Identifier: GPL-2.0-only

//! An [`Arc`] as a work item.

use super::{
    Arc,
    KmallocSite, //
};
use kernel::{
    bindings,
    workqueue::{
        HasDelayedWork,
        HasWork,
        RawDelayedWorkItem,
        RawWorkItem,
        Work,
        WorkItem,
        WorkItemPointer, //
    }, //
};

// SAFETY: The pointer that the closure gets is to the work item in the value. The share of the
// reference count that `into_raw` kept keeps the value live until `run` takes it over, or until the
// closure returns false.
unsafe impl<T, S, const ID: u64> RawWorkItem<ID> for Arc<T, S>
where
    T: WorkItem<ID, Pointer = Self> + HasWork<T, ID>,
    S: KmallocSite,
{
    type EnqueueOutput = Result<(), Self>;

    unsafe fn __enqueue<F>(self, queue_work_on: F) -> Result<(), Self>
    where
        F: FnOnce(*mut bindings::work_struct) -> bool,
    {
        let ptr = Arc::into_raw(self);
        // SAFETY: The value is live, and so is the work item in it.
        let work = unsafe { Work::raw_get(T::raw_get_work(ptr.cast_mut())) };
        if queue_work_on(work) {
            return Ok(());
        }
        // SAFETY: The pointer comes from `into_raw`, and the queue did not take it over.
        Err(unsafe { Arc::from_raw(ptr) })
    }
}

// SAFETY: `__enqueue` uses the `Work<T, ID>` of the value. The only way to create one is
// `Work::new`, which stores `<T::Pointer as WorkItemPointer<ID>>::run`, and `T::Pointer` is this
// type.
unsafe impl<T, S, const ID: u64> WorkItemPointer<ID> for Arc<T, S>
where
    T: WorkItem<ID, Pointer = Self> + HasWork<T, ID>,
    S: KmallocSite,
{
    unsafe extern "C" fn run(work: *mut bindings::work_struct) {
        // SAFETY: The caller guarantees the item of an earlier `__enqueue`, which is a `Work<T, ID>`
        // in a `T`.
        let ptr = unsafe { T::work_container_of(work.cast::<Work<T, ID>>()) };
        // SAFETY: The pointer is that of `into_raw` in `__enqueue`, whose share of the reference
        // count the queue gives back by this call.
        T::run(unsafe { Arc::from_raw(ptr) });
    }
}

// SAFETY: By the requirements of `HasDelayedWork`, the work item is in a `delayed_work`, which is
// in the value and stays live with it.
unsafe impl<T, S, const ID: u64> RawDelayedWorkItem<ID> for Arc<T, S>
where
    T: WorkItem<ID, Pointer = Self> + HasDelayedWork<T, ID>,
    S: KmallocSite,
{
}
