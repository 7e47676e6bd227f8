// SPDX-License-Identifier: GPL-2.0-only
//! H111: an owned workqueue takes no delayed item, for which its drop could not wait.
//! error: no method named `enqueue_delayed` found for reference `&Workqueue`

use kalloc::{
    sys::workqueue::Workqueue,
    Arc,
    ArcInner, //
};
use kernel::{
    impl_has_delayed_work,
    prelude::*,
    workqueue::{
        DelayedWork,
        WorkItem, //
    }, //
};

#[pin_data]
pub struct Job {
    #[pin]
    work: DelayedWork<Self>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Job { self.work }
}

impl WorkItem for Job {
    type Pointer = Arc<Self, Jobs>;

    fn run(_: Arc<Self, Jobs>) {}
}

kalloc::sites! {
    pub Jobs: kmalloc(ArcInner<Job>), "compile_job";
}

#[inline(never)]
pub fn case(queue: &Workqueue, job: Arc<Job, Jobs>) {
    let _ = queue.enqueue_delayed(job, 10);
}
