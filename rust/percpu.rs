// SPDX-License-Identifier: GPL-2.0

//! Per-CPU memory.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use crate::bindings;
use core::ptr::NonNull;
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// A zeroed `T` for every possible CPU.
///
/// Owns the memory; [`Drop`] frees it, but drops no `T`.
///
/// # Invariants
///
/// The pointer is a per-CPU cookie from `alloc_percpu()` for a `T`, and is valid until `self` is
/// dropped.
pub(crate) struct PerCpu<T>(NonNull<T>);

// SAFETY: The memory belongs to no thread; access to it is up to the holder of the pointers.
unsafe impl<T: Send> Send for PerCpu<T> {}

impl<T: Zeroable> PerCpu<T> {
    /// Allocates a zeroed `T` for every possible CPU.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    pub(crate) fn zeroed() -> Result<Self, AllocError> {
        const { assert!(size_of::<T>() > 0 && size_of::<T>() <= 4096 && align_of::<T>() <= 4096) };
        // SAFETY: The size is not 0, and both are within the limits of the per-CPU allocator.
        let ptr = unsafe { bindings::kalloc_helper_alloc_percpu(size_of::<T>(), align_of::<T>()) };
        // INVARIANT: The area is the per-CPU allocator's, which zeroes it, and ours alone.
        NonNull::new(ptr.cast()).map(Self).ok_or(AllocError)
    }
}

impl<T> PerCpu<T> {
    /// The per-CPU cookie: an address only relative to a CPU's per-CPU base.
    pub(crate) fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T> Drop for PerCpu<T> {
    fn drop(&mut self) {
        // SAFETY: By the invariants, the area came from `alloc_percpu()` and is ours.
        unsafe { bindings::free_percpu(self.0.as_ptr().cast()) };
    }
}

/// Returns the address of `cpu`'s instance of a per-CPU variable.
///
/// # Safety
///
/// - `cookie` must be a per-CPU cookie.
/// - `cpu` must be a possible CPU.
pub(crate) unsafe fn instance<T>(cookie: *mut T, cpu: i32) -> *mut T {
    // SAFETY: By the requirements of this function.
    unsafe { bindings::kalloc_helper_per_cpu_ptr(cookie.cast(), cpu).cast() }
}

/// Adds `n` to this CPU's instance of the `u64` at `OFFSET` bytes into the per-CPU variable
/// `cookie`, in one step that neither preemption nor an interrupt can split: `this_cpu_add()`.
///
/// # Safety
///
/// There must be a `u64` at that offset that is only ever written by this function, and `cookie`
/// must be valid.
#[inline(always)]
pub(crate) unsafe fn this_cpu_add<T, const OFFSET: usize>(cookie: *mut T, n: u64) {
    #[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
    // SAFETY: On x86_64, GS addresses this CPU's instance of a cookie. The memory is valid by the
    // requirements of this function.
    unsafe {
        core::arch::asm!(
            "add qword ptr gs:[{cookie} + {offset}], {n}",
            cookie = in(reg) cookie,
            offset = const OFFSET,
            n = in(reg) n,
            options(nostack),
        )
    };
    #[cfg(not(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML))))]
    // SAFETY: By the requirements of this function.
    unsafe {
        bindings::kalloc_helper_this_cpu_add(cookie.wrapping_byte_add(OFFSET).cast(), n)
    };
}

/// Adds 1, likewise: `this_cpu_inc()`, which needs no register for the number.
///
/// # Safety
///
/// As for [`this_cpu_add`].
#[inline(always)]
pub(crate) unsafe fn this_cpu_inc<T, const OFFSET: usize>(cookie: *mut T) {
    #[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
    // SAFETY: As in `this_cpu_add`.
    unsafe {
        core::arch::asm!(
            "inc qword ptr gs:[{cookie} + {offset}]",
            cookie = in(reg) cookie,
            offset = const OFFSET,
            options(nostack),
        )
    };
    #[cfg(not(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML))))]
    // SAFETY: By the requirements of this function.
    unsafe {
        this_cpu_add::<T, OFFSET>(cookie, 1)
    };
}

/// Adds 1 to the `nth` `u64` from `OFFSET` on, likewise.
///
/// # Safety
///
/// As for [`this_cpu_add`], for that `u64`.
#[inline(always)]
pub(crate) unsafe fn this_cpu_inc_nth<T, const OFFSET: usize>(cookie: *mut T, nth: usize) {
    #[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
    // SAFETY: As in `this_cpu_add`.
    unsafe {
        core::arch::asm!(
            "inc qword ptr gs:[{cookie} + {nth} * 8 + {offset}]",
            cookie = in(reg) cookie,
            nth = in(reg) nth,
            offset = const OFFSET,
            options(nostack),
        )
    };
    #[cfg(not(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML))))]
    // SAFETY: By the requirements of this function.
    unsafe {
        this_cpu_inc::<u64, OFFSET>(cookie.cast::<u64>().wrapping_add(nth))
    };
}

/// Iterates over the possible CPUs: `for_each_possible_cpu()`.
pub(crate) fn possible_cpus() -> impl Iterator<Item = i32> {
    // SAFETY: Both read what is fixed since boot.
    let (nr, next) = unsafe {
        (
            bindings::kalloc_helper_nr_cpu_ids(),
            bindings::kalloc_helper_next_possible_cpu as unsafe extern "C" fn(i32) -> i32,
        )
    };
    // CAST: The number of CPUs is far below `i32::MAX`.
    let nr = nr as i32;
    // SAFETY: `cpumask_next()` takes any CPU number from -1 up to `nr_cpu_ids`.
    let step = move |cpu: i32| Some(unsafe { next(cpu) }).filter(|&cpu| cpu < nr);
    core::iter::successors(step(-1), move |&cpu| step(cpu))
}
