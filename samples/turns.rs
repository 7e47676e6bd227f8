// SPDX-License-Identifier: GPL-2.0-only

//! A mutual-exclusion slot with interruptible waiting.
//!
//! `kernel::sync::Mutex` has no interruptible or killable lock operation, so that a signal could
//! not end a task's wait for it.

#![deny(unsafe_code)]

use kernel::{
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        CondVar,
        Mutex, //
    }, //
};

/// A value that is lent to one caller at a time.
#[pin_data]
pub(crate) struct InterruptibleSlot<T> {
    /// The value, or `None` while a caller has it.
    #[pin]
    idle: Mutex<Option<T>>,
    #[pin]
    returned: CondVar,
}

impl<T: Unpin> InterruptibleSlot<T> {
    pub(crate) fn new(value: T) -> impl PinInit<Self> {
        pin_init!(InterruptibleSlot {
            idle <- new_mutex!(Some(value)),
            returned <- new_condvar!(),
        })
    }

    /// Calls `f` with the value once no other caller has it. A waiter calls `should_continue` each
    /// time it wakes up.
    ///
    /// # Errors
    ///
    /// - [`EINTR`] if a signal arrives first.
    /// - The errors of `should_continue` and `f`.
    pub(crate) fn take(
        &self,
        should_continue: impl Fn() -> Result,
        f: impl FnOnce(&mut T) -> Result,
    ) -> Result {
        let mut idle = self.idle.lock();
        let mut value = loop {
            should_continue()?;
            match idle.take() {
                Some(value) => break value,
                None if self.returned.wait_interruptible(&mut idle) => return Err(EINTR),
                None => (),
            }
        };
        drop(idle);
        let result = f(&mut value);
        *self.idle.lock() = Some(value);
        self.wake();
        result
    }

    /// Makes all waiters call `should_continue` again.
    pub(crate) fn wake(&self) {
        // After the lock was taken, each task that has called `should_continue` waits for the
        // notification.
        drop(self.idle.lock());
        // All waiters are woken, because a single one might be about to return due to a signal.
        self.returned.notify_all();
    }
}
