// SPDX-License-Identifier: GPL-2.0-only

//! Counters in the static per-CPU memory of a module.
//!
//! A site finds its counters through a pointer, so that a module may have any number of sites. The
//! address of a static per-CPU variable is part of the instruction instead. An allocation and a
//! free then take one counting instruction each, half of the usual number. The kernel has 8 KiB of
//! that memory for all modules together (`PERCPU_MODULE_RESERVE`), and does not load a module for
//! which it is too small. Therefore only sites with the word `percpu` in [`sites!`](crate::sites)
//! count their units there, in 16 bytes each.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use crate::accounting::stats::{
    is_counter, //
    Counters,
};
use core::cell::UnsafeCell;

/// The `asm!` macro for [`static_counters!`](crate::static_counters), independent of the meaning of
/// `::core` in the driver.
#[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
#[doc(hidden)]
pub use core::arch::asm;

/// Units allocated and freed, at the offsets of these counters in `Counters`.
#[repr(C)]
pub struct StaticCounters([UnsafeCell<u64>; 2]);

// SAFETY: The Rust static is only the template of the per-CPU instances; no code accesses it.
unsafe impl Sync for StaticCounters {}

impl StaticCounters {
    /// Creates counters that are 0.
    ///
    /// # Safety
    ///
    /// The value must be that of a static in a module's section of per-CPU variables.
    pub const unsafe fn new() -> Self {
        StaticCounters([const { UnsafeCell::new(0) }; 2])
    }

    /// Returns the per-CPU pointer. Only the first two counters of [`Counters`] exist there.
    pub(crate) fn percpu_ptr(&'static self) -> *mut Counters {
        core::ptr::from_ref(self).cast_mut().cast()
    }
}

/// Defines the counters of a `percpu` site, and the methods of its [`Tag`](crate::Tag).
#[doc(hidden)]
#[macro_export]
macro_rules! static_counters {
    (@static percpu) => {
        // The kernel gives each CPU a copy of this section. With a single CPU there are no copies,
        // and the section of per-CPU variables is that of ordinary data.
        // SAFETY: The static is in the section of per-CPU variables.
        #[cfg_attr(CONFIG_SMP, link_section = ".data..percpu")]
        static COUNTERS: $crate::accounting::static_counters::StaticCounters = unsafe { $crate::accounting::static_counters::StaticCounters::new() };
    };
    (@methods percpu) => {
        const PERCPU: bool = true;

        #[inline(always)]
        unsafe fn count_object<const COUNTER: usize>() {
            const { $crate::accounting::static_counters::assert_counter::<COUNTER>() };
            #[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
            // SAFETY: On x86_64, GS addresses this CPU's instance of a static per-CPU variable.
            // There is a counter at the offset, which only this code writes.
            unsafe {
                $crate::accounting::static_counters::asm!(
                    "inc qword ptr gs:[rip + {counters} + {offset}]",
                    counters = sym COUNTERS,
                    offset = const COUNTER,
                    options(nostack),
                )
            };
            #[cfg(not(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML))))]
            // SAFETY: The caller counts one object, by the requirement of this function.
            unsafe {
                $crate::accounting::static_counters::count::<COUNTER>(&COUNTERS)
            };
        }

        fn static_counters() -> ::core::option::Option<&'static $crate::accounting::static_counters::StaticCounters> {
            const { $crate::accounting::site::assert_sized::<Self>() };
            ::core::option::Option::Some(&COUNTERS)
        }
    };
}

/// Adds 1 to this CPU's counter at `COUNTER`.
///
/// # Safety
///
/// The requirements of [`Tag::count_object`] apply.
#[cfg(not(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML))))]
#[doc(hidden)]
#[inline(always)]
pub unsafe fn count<const COUNTER: usize>(counters: &'static StaticCounters) {
    const { assert_counter::<COUNTER>() };
    // SAFETY: The counters are in a module's per-CPU section. There is a counter at the offset,
    // which only this code writes.
    unsafe { crate::sys::percpu::this_cpu_inc::<_, COUNTER>(counters.percpu_ptr()) };
}

/// Checks at compile time that there is a counter at `COUNTER`.
#[doc(hidden)]
pub const fn assert_counter<const COUNTER: usize>() {
    const { assert!(is_counter::<StaticCounters>(COUNTER)) };
}
