// SPDX-License-Identifier: GPL-2.0

//! Where code runs: whether it may sleep.
//!
//! The kernel knows that of itself, not of code: it counts how often preemption was disabled, by
//! spinlocks among others, and whether interrupts are. What is asked here is what `might_sleep()`
//! asks on a debug kernel to complain of the answer.
//!
//! Without `CONFIG_PREEMPT_COUNT` a spinlock leaves no trace. Then [`known_sleepable`] never says yes, and
//! [`known_atomic`] not always when it should. Neither is ever wrong the other way round.
//!
//! C header: [`include/linux/preempt.h`](srctree/include/linux/preempt.h)

use crate::sys::bindings;

/// Whether the caller may sleep, for certain.
///
/// To choose between doing something here and leaving it to somebody who may sleep.
///
/// # Examples
///
/// ```
/// use kalloc::sys::context;
///
/// // A test's thread may sleep, and a kernel that can tell says so.
/// assert_eq!(context::known_sleepable(), cfg!(CONFIG_PREEMPT_COUNT));
/// ```
#[inline]
pub fn known_sleepable() -> bool {
    cfg!(CONFIG_PREEMPT_COUNT) && !known_atomic()
}

/// Whether the caller may not sleep, for certain: it is in an interrupt, holds a spinlock or the RCU
/// read lock, or has disabled preemption or interrupts.
///
/// To fail rather than do something that sleeps.
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
    // SAFETY: Reads the state of this CPU and this thread.
    unsafe { bindings::kalloc_helper_is_atomic() }
}

/// Whether the caller may have memory at all, and give it back, be it with flags that do not sleep.
///
/// With `CONFIG_PREEMPT_RT` it may not while preemption or interrupts are disabled, nor in a hard
/// interrupt: the allocators' own spinlocks sleep. Those that a driver holds do as well, and most
/// interrupts are threads, so that memory can be had there. Without that option always.
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
    // SAFETY: Reads the state of this CPU and this thread.
    !cfg!(CONFIG_PREEMPT_RT) || unsafe { bindings::kalloc_helper_may_allocate() }
}

/// Whether vmalloc may be called, with flags that do not sleep: where memory may be had, but in no
/// interrupt, be it a hard or a soft one, nor while either is disabled.
#[inline]
pub(crate) fn can_vmalloc() -> bool {
    // SAFETY: Reads the state of this CPU and this thread.
    unsafe { bindings::kalloc_helper_may_map() }
}
