// SPDX-License-Identifier: GPL-2.0-only

//! Static mutexes that the compiler initializes.
//!
//! [`kernel::sync::global_lock!`] needs an initialization at run time. Code that is built into the
//! kernel has no place for it: the initcall of a driver may use this crate before this crate's own
//! initcall.
//!
//! C header: [`include/linux/mutex.h`](srctree/include/linux/mutex.h)

use crate::sys::bindings;
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::{
        Deref,
        DerefMut, //
    }, //
};
use kernel::sync::lock::{
    mutex::MutexBackend,
    Guard,
    Lock, //
};

/// A value, and the mutex (`struct mutex`, from `DEFINE_MUTEX`) that protects it.
///
/// # Invariants
///
/// `mutex` always returns the same mutex, which is static, initialized, and of no other value.
pub(crate) struct StaticMutex<T> {
    mutex: unsafe extern "C" fn() -> *mut bindings::mutex,
    value: UnsafeCell<T>,
}

// SAFETY: The mutex gives one thread at a time access to the value, which is `Send`.
unsafe impl<T: Send> Sync for StaticMutex<T> {}

impl<T> StaticMutex<T> {
    /// Creates a value with its mutex.
    ///
    /// # Safety
    ///
    /// - `mutex` must always return the same mutex. It must be static and initialized by the
    ///   compiler, and no other value may have it.
    /// - `mutex` must be safe to call in any context.
    pub(crate) const unsafe fn new(
        mutex: unsafe extern "C" fn() -> *mut bindings::mutex,
        value: T,
    ) -> Self {
        // INVARIANT: `mutex` satisfies the invariants by the requirements of this function.
        StaticMutex {
            mutex,
            value: UnsafeCell::new(value),
        }
    }

    /// Acquires the mutex if that is possible without waiting.
    ///
    /// # Context
    ///
    /// Process context.
    pub(crate) fn try_lock(&'static self) -> Option<StaticMutexGuard<T>> {
        // SAFETY: By the type invariants, `mutex` returns a static and initialized mutex.
        let mutex = unsafe { Lock::<(), MutexBackend>::from_raw((self.mutex)()) };
        // INVARIANT: The guard is of the mutex of `this`.
        Some(StaticMutexGuard {
            _held: mutex.try_lock()?,
            this: self,
            _not_sync: PhantomData,
        })
    }

    /// Acquires the mutex.
    ///
    /// # Context
    ///
    /// Process context; may sleep.
    pub(crate) fn lock(&'static self) -> StaticMutexGuard<T> {
        // SAFETY: By the type invariants, `mutex` returns a static and initialized mutex.
        let mutex = unsafe { Lock::<(), MutexBackend>::from_raw((self.mutex)()) };
        // INVARIANT: The guard is of the mutex of `this`.
        StaticMutexGuard {
            _held: mutex.lock(),
            this: self,
            _not_sync: PhantomData,
        }
    }
}

/// Guard that releases the mutex of a [`StaticMutex`] when it is dropped.
///
/// # Invariants
///
/// `_held` is the guard of the mutex of `this`.
#[must_use = "the mutex is released when the guard is dropped"]
pub(crate) struct StaticMutexGuard<T: 'static> {
    _held: Guard<'static, (), MutexBackend>,
    this: &'static StaticMutex<T>,
    // The value may not be `Sync`.
    _not_sync: PhantomData<*const T>,
}

impl<T> Deref for StaticMutexGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: By the type invariants, this thread holds the mutex, which no other value has.
        // The reference borrows the guard.
        unsafe { &*self.this.value.get() }
    }
}

impl<T> DerefMut for StaticMutexGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the type invariants, this thread holds the mutex, which no other value has.
        // The reference borrows the guard mutably.
        unsafe { &mut *self.this.value.get() }
    }
}
