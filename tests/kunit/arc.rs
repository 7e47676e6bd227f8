// SPDX-License-Identifier: GPL-2.0-only

//! Counted reference-counted pointers: the counters, and every way to hold one.

use crate::{
    raw,
    thread::elsewhere,
    Change,
    Dropped, //
};
use core::{
    any::Any,
    cell::Cell, //
};
use kalloc::{
    Arc,
    ArcBorrow,
    ArcInner,
    Tag,
    UniqueArc, //
};
use kernel::{
    impl_has_delayed_work,
    impl_has_work,
    new_mutex,
    prelude::*,
    sync::{
        Completion,
        Mutex, //
    },
    types::ForeignOwnable,
    workqueue::{
        self,
        new_delayed_work,
        new_work,
        DelayedWork,
        Work,
        WorkItem, //
    },
    xarray::{
        AllocKind,
        XArray, //
    }, //
};

/// A value of three words.
pub(crate) struct Session {
    id: u64,
    _rest: [u64; 2],
}

impl Session {
    fn new(id: u64) -> Self {
        Session { id, _rest: [0; 2] }
    }
}

/// A value with two work items.
#[pin_data]
pub(crate) struct Job {
    #[pin]
    work: Work<Self>,
    #[pin]
    later: DelayedWork<Self, 1>,
    done: kernel::sync::Arc<Completion>,
    done_later: kernel::sync::Arc<Completion>,
}

impl Job {
    fn new(
        done: kernel::sync::Arc<Completion>,
        done_later: kernel::sync::Arc<Completion>,
    ) -> impl PinInit<Self> {
        pin_init!(Job {
            work <- new_work!("kunit_arc"),
            later <- new_delayed_work!("kunit_arc_later"),
            done,
            done_later,
        })
    }
}

impl_has_work! {
    impl HasWork<Self> for Job { self.work }
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self, 1> for Job { self.later }
}

impl WorkItem for Job {
    type Pointer = Arc<Self, Jobs>;

    fn run(this: Arc<Self, Jobs>) {
        let done = this.done.clone();
        drop(this);
        done.complete_all();
    }
}

impl WorkItem<1> for Job {
    type Pointer = Arc<Self, Jobs>;

    fn run(this: Arc<Self, Jobs>) {
        let done = this.done_later.clone();
        drop(this);
        done.complete_all();
    }
}

kalloc::sites! {
    pub(crate) Sessions: kmalloc(ArcInner<Session>), "kunit_arc_session";
    pub(crate) Bare: kmalloc(Session), "kunit_arc_bare";
    pub(crate) Any_: kmalloc([u8]), "kunit_arc_any";
    pub(crate) Jobs: kmalloc(ArcInner<Job>), "kunit_arc_job";
    pub(crate) Shared: kmalloc(Mutex<[u64; 100]>), "kunit_arc_mutex";
}

/// A value with the alignment of a cache line.
#[repr(align(64))]
struct Line(u8);

trait Number {
    fn get(&self) -> u64;
    fn borrowed(self: ArcBorrow<'_, Self, Any_>) -> u64;
    fn owned(self: Arc<Self, Any_>) -> u64;
}

impl Number for Line {
    fn get(&self) -> u64 {
        self.0.into()
    }

    fn borrowed(self: ArcBorrow<'_, Self, Any_>) -> u64 {
        self.get() + 1
    }

    fn owned(self: Arc<Self, Any_>) -> u64 {
        self.get() + 2
    }
}

#[kunit_tests(kalloc_arc)]
mod tests {
    use super::*;

    #[test]
    fn arc_new_counts_block() -> Result {
        let change = Change::of::<Sessions>();
        let first = Arc::<_, Sessions>::new(Session::new(1), GFP_KERNEL)?;
        assert_eq!(Sessions::site().unit(), 32);
        assert_eq!(change.events(), (1, 0, 0));
        assert_eq!(change.live(), (1, 32, 0));
        let second = first.clone();
        let third: Arc<_, _> = second.as_arc_borrow().into();
        assert!(Arc::ptr_eq(&first, &third));
        assert_eq!(change.events(), (1, 0, 0));
        drop((first, second));
        assert_eq!((third.id, change.events()), (1, (1, 0, 0)));
        drop(third);
        assert_eq!(change.events(), (1, 1, 0));
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn arc_new_site_of_value_counts_bytes() -> Result {
        let change = Change::of::<Bare>();
        let shared = Arc::<_, Bare>::new(Session::new(1), GFP_KERNEL)?;
        assert_eq!(change.live(), (1, 32, 0));
        drop(shared);
        assert_eq!(change.live(), (0, 0, 0));
        // 800 bytes of the array, the mutex, and the count.
        let change = Change::of::<Shared>();
        let block = size_of::<ArcInner<Mutex<[u64; 100]>>>() as u64;
        let shared = Arc::<Mutex<[u64; 100]>, Shared>::pin_init(new_mutex!([0; 100]), GFP_KERNEL)?;
        assert_eq!((change.live().0, change.live().1), (1, block));
        assert_eq!(shared.lock().len(), 100);
        drop(shared);
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn arc_drop_drops_value_once() -> Result {
        let dropped = Cell::new(0);
        let first = Arc::<_, Any_>::new(Dropped(&dropped), GFP_KERNEL)?;
        let second = first.clone();
        drop(first);
        assert_eq!(dropped.get(), 0);
        drop(second);
        assert_eq!(dropped.get(), 1);
        // The unique owner drops the value as well, and uninitialized memory has none.
        drop(UniqueArc::<_, Any_>::new(Dropped(&dropped), GFP_KERNEL)?);
        drop(UniqueArc::<Dropped<'_>, Any_>::new_uninit(GFP_KERNEL)?);
        assert_eq!(dropped.get(), 2);
        assert_eq!(Any_::site().totals().live(), 0);
        Ok(())
    }

    #[test]
    fn arc_into_unique_shared_returns_none() -> Result {
        let change = Change::of::<Sessions>();
        let first = Arc::<_, Sessions>::new(Session::new(1), GFP_KERNEL)?;
        let second = first.clone();
        assert!(Arc::into_unique_or_drop(first).is_none());
        let mut unique = Arc::into_unique_or_drop(second).ok_or(EBUSY)?;
        unique.id = 2;
        let shared = Arc::from(unique);
        assert_eq!((shared.clone().id, change.events()), (2, (1, 0, 0)));
        drop(shared);
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn unique_arc_init_fails_frees_memory() -> Result {
        let change = Change::of::<Sessions>();
        let failed = UniqueArc::<Session, Sessions>::try_init(
            try_init!(Session {
                id: 1,
                _rest: {
                    Err::<(), _>(EBADF)?;
                    [0; 2]
                },
            }),
            GFP_KERNEL,
        );
        assert_eq!(failed.err(), Some(EBADF));
        assert_eq!(change.events(), (1, 1, 0));
        let mut written =
            UniqueArc::<Session, Sessions>::new_uninit(GFP_KERNEL)?.write(Session::new(3));
        written.id += 1;
        assert_eq!(Arc::from(written).id, 4);
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn arc_coerced_counts_size_of_value() -> Result {
        let change = Change::of::<Any_>();
        let line = Arc::<_, Any_>::new(Line(5), GFP_KERNEL)?;
        assert_eq!(core::ptr::from_ref(&*line).addr() % 64, 0);
        let number: Arc<dyn Number, Any_> = line;
        assert_eq!(change.live(), (1, 128, 0));
        assert_eq!(number.get() + number.as_arc_borrow().borrowed(), 11);
        let again = number.clone();
        assert_eq!(number.owned(), 7);
        // The address of a value that is aligned to more than the count.
        let back: Arc<dyn Number, Any_> = raw::arc(again);
        assert_eq!((back.get(), change.live().0), (5, 1));
        drop(back);
        let slice: Arc<[u8], Any_> = Arc::<[u8; 3], Any_>::new([1, 2, 3], GFP_KERNEL)?;
        assert_eq!((slice.len(), change.live().1), (3, 8));
        drop(slice);
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn arc_downcast_other_type_returns_arc() -> Result {
        let change = Change::of::<Any_>();
        let any: Arc<dyn Any + Send + Sync, Any_> = Arc::<_, Any_>::new(7u32, GFP_KERNEL)?;
        let any = any.downcast::<u64>().err().ok_or(EINVAL)?;
        let number = any.downcast::<u32>().map_err(|_| EINVAL)?;
        assert_eq!(*number, 7);
        drop(number);
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn arc_in_xarray_is_dropped_with_it() -> Result {
        let change = Change::of::<Sessions>();
        let table = kernel::alloc::KBox::pin_init(
            XArray::<Arc<Session, Sessions>>::new(AllocKind::Alloc),
            GFP_KERNEL,
        )?;
        let mut kept = None;
        for id in 0..4 {
            let session = Arc::new(Session::new(id as u64), GFP_KERNEL)?;
            if table.lock().store(id, session, GFP_KERNEL).is_err() {
                return Err(ENOMEM);
            }
        }
        if let Some(found) = table.lock().get(3) {
            kept = Some(Arc::from(found));
        }
        assert_eq!(change.live().0, 4);
        drop(table.lock().remove(0));
        assert_eq!(change.live().0, 3);
        drop(table);
        assert_eq!(
            (kept.as_ref().map(|session| session.id), change.live().0),
            (Some(3), 1)
        );
        drop(kept);
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn arc_into_foreign_is_aligned() -> Result {
        let change = Change::of::<Any_>();
        let seen = Cell::new(0);
        let line = Arc::<_, Any_>::new(Line(5), GFP_KERNEL)?;
        let (is_aligned, back) = raw::foreign(line.clone(), |line| seen.set(line.0));
        assert!(is_aligned && seen.get() == 5);
        assert_eq!(<Arc<Line, Any_> as ForeignOwnable>::FOREIGN_ALIGN, 64);
        assert!(Arc::ptr_eq(&line, &back));
        drop((line, back));
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn arc_enqueued_keeps_value_until_run() -> Result {
        let change = Change::of::<Jobs>();
        let done = kernel::sync::Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let later = kernel::sync::Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let job = Job::new(done.clone(), later.clone());
        let job = Arc::<Job, Jobs>::pin_init(job, GFP_KERNEL)?;
        assert_eq!(change.live().0, 1);
        assert!(workqueue::system().enqueue::<_, 0>(job.clone()).is_ok());
        done.wait_for_completion();
        // An item that is queued already is given back.
        let queue = workqueue::system();
        assert!(queue.enqueue_delayed::<_, 1>(job.clone(), 10).is_ok());
        assert!(queue.enqueue_delayed::<_, 1>(job, 10).is_err());
        assert_eq!(change.live().0, 1);
        later.wait_for_completion();
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn arc_dropped_in_other_thread_counts_free() -> Result {
        let change = Change::of::<Sessions>();
        let session = Arc::<_, Sessions>::new(Session::new(1), GFP_KERNEL)?;
        let theirs = session.clone();
        drop(session);
        elsewhere(move || drop(theirs))?;
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }
}
