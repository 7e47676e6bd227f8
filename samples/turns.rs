// SPDX-License-Identifier: GPL-2.0

//! What one has at a time, for as long as it takes, while those who wait for it can be interrupted.
//!
//! A mutex cannot be given up waiting for: who wants it is not even killed before it is free.

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

/// A value that is lent out.
#[pin_data]
pub(crate) struct InterruptibleSlot<T> {
    /// The value, unless somebody has it.
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

    /// Calls `f` with the value when nobody else has it. Who waits for it asks `should_continue` whether to.
    ///
    /// # Errors
    ///
    /// [`EINTR`] if there is a signal first; what `should_continue` and `f` return.
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

    /// Has those who wait ask again.
    pub(crate) fn wake(&self) {
        // Who has asked is waiting then.
        drop(self.idle.lock());
        // All of them: a single one might be about to leave for its signal.
        self.returned.notify_all();
    }
}
