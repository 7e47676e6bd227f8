// SPDX-License-Identifier: GPL-2.0-only

//! The context of the current code: atomic, or able to sleep.
//!
//! The kernel counts how often code disabled preemption, for example by taking a spinlock, and
//! records whether interrupts are disabled. This module checks the state that `might_sleep()`
//! checks on a debug kernel.
//!
//! Without `CONFIG_PREEMPT_COUNT`, a spinlock does not change that count. [`known_sleepable`] then
//! always returns false, and [`known_atomic`] misses some atomic contexts. A result of true is
//! always correct.
//!
//! C header: [`include/linux/preempt.h`](srctree/include/linux/preempt.h)

use crate::sys::bindings;

/// Returns true if the caller is known to be allowed to sleep.
///
/// Use it to choose between work in place and work deferred to a thread that may sleep.
///
/// # Examples
///
/// ```
/// use kalloc::sys::context;
///
/// // A test's thread may sleep. Kernels with a preemption count report it.
/// assert_eq!(context::known_sleepable(), cfg!(CONFIG_PREEMPT_COUNT));
/// ```
#[inline]
pub fn known_sleepable() -> bool {
    cfg!(CONFIG_PREEMPT_COUNT) && !known_atomic()
}

/// Returns true if the caller is known to be in atomic context: in an interrupt, under a spinlock
/// or the RCU read lock, or with preemption or interrupts disabled.
///
/// Use it to fail rather than call a function that sleeps.
///
/// # Examples
///
/// ```
/// use kalloc::sys::context;
/// use kernel::sync::rcu;
///
/// let guard = rcu::read_lock();
/// assert!(!context::known_sleepable());
/// drop(guard);
/// assert!(!context::known_atomic());
/// ```
#[inline]
pub fn known_atomic() -> bool {
    // SAFETY: The helper only reads the state of this CPU and this thread.
    unsafe { bindings::kalloc_helper_is_atomic() }
}

/// Returns true if the caller may allocate and free memory, at least with flags that do not sleep.
///
/// With `CONFIG_PREEMPT_RT`, the caller must not allocate in a hard interrupt, nor while preemption
/// or interrupts are disabled, because the allocators' spinlocks sleep there. A driver's spinlocks
/// sleep as well, and most interrupts are threads, so code in either may allocate. Without that
/// option, the result is always true.
///
/// # Examples
///
/// ```
/// use kalloc::sys::context;
/// use kernel::{new_spinlock, sync::Arc};
///
/// let queue = Arc::pin_init(new_spinlock!(0), GFP_KERNEL)?;
/// let guard = queue.lock();
/// assert!(context::can_allocate() && !context::known_sleepable());
/// drop(guard);
/// # Ok::<(), Error>(())
/// ```
#[inline]
pub fn can_allocate() -> bool {
    // SAFETY: The helper only reads the state of this CPU and this thread.
    !cfg!(CONFIG_PREEMPT_RT) || unsafe { bindings::kalloc_helper_may_allocate() }
}

/// Returns true if the caller may call vmalloc with flags that do not sleep.
///
/// The context must allow allocation. The caller must not be in a hard or soft interrupt, nor have
/// either disabled.
#[inline]
pub(crate) fn can_vmalloc() -> bool {
    // SAFETY: The helper only reads the state of this CPU and this thread.
    unsafe { bindings::kalloc_helper_may_map() }
}
