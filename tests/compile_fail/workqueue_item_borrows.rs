// SPDX-License-Identifier: GPL-2.0-only
//! H111: a work item cannot borrow data that may be dropped before it runs.
//! error: borrowed data escapes outside of function

use kalloc::{
    sys::workqueue::Workqueue,
    Arc, //
};
use kernel::{
    impl_has_work,
    prelude::*,
    workqueue::{
        Work,
        WorkItem, //
    }, //
};

#[pin_data]
pub struct Job<'a> {
    pub number: &'a u64,
    #[pin]
    work: Work<Self>,
}

impl_has_work! {
    impl{'a} HasWork<Self> for Job<'a> { self.work }
}

impl<'a> WorkItem for Job<'a> {
    type Pointer = Arc<Self, Jobs>;

    fn run(_: Arc<Self, Jobs>) {}
}

kalloc::sites! {
    pub Jobs: kmalloc([u8]), "compile_job";
}

#[inline(never)]
pub fn case<'a>(queue: &Workqueue, job: Arc<Job<'a>, Jobs>) {
    let _ = queue.enqueue(job);
}
