// SPDX-License-Identifier: GPL-2.0

//! Counters in a module's static per-CPU memory.
//!
//! A site finds its counters through a pointer, so that a module may have any number of sites. The
//! address of a static per-CPU variable is part of the instruction instead: that is one instruction
//! for an allocation and one for a free, half of what it is otherwise. The kernel has 8 KiB of such
//! memory for all modules together, though (`PERCPU_MODULE_RESERVE`), and does not load a module that
//! finds no room in it. So only a site that asks for it, by the word `percpu` in
//! [`sites!`](crate::sites), has its units counted there, in 16 bytes.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use crate::accounting::{
    site::{
        unit, //
        Tag,
    },
    stats::{
        is_counter, //
        Counters,
    }, //
};
use core::cell::UnsafeCell;

/// For [`static_counters!`](crate::static_counters): what `::core` is, the driver says.
#[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
#[doc(hidden)]
pub use core::arch::asm;

/// Units allocated and freed, at the offsets at which `Counters` has them.
#[repr(C)]
pub struct StaticCounters([UnsafeCell<u64>; 2]);

// SAFETY: What Rust sees as a static is a template, which nobody accesses; each CPU has an instance.
unsafe impl Sync for StaticCounters {}

impl StaticCounters {
    /// Nothing counted.
    ///
    /// # Safety
    ///
    /// Must be the value of a static in a module's section of per-CPU variables.
    pub const unsafe fn new() -> Self {
        StaticCounters([const { UnsafeCell::new(0) }; 2])
    }

    /// The per-CPU pointer; only what [`Counters`] begins with is there.
    pub(crate) fn percpu_ptr(&'static self) -> *mut Counters {
        core::ptr::from_ref(self).cast_mut().cast()
    }
}

/// Defines the counters of a site that asks for them, and the methods of its [`Tag`](crate::Tag).
#[doc(hidden)]
#[macro_export]
macro_rules! static_counters {
    (@static percpu) => {
        // The kernel gives every CPU a copy of what is in this section.
        // SAFETY: In that section.
        #[link_section = ".data..percpu"]
        static COUNTERS: $crate::accounting::static_counters::StaticCounters = unsafe { $crate::accounting::static_counters::StaticCounters::new() };
    };
    (@methods percpu) => {
        const PERCPU: bool = true;

        #[inline(always)]
        unsafe fn count_object<const COUNTER: usize>() {
            const { $crate::accounting::static_counters::assert_counter::<COUNTER>() };
            #[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
            // SAFETY: On x86_64, GS addresses this CPU's instance of a static per-CPU variable. There
            // is a counter at the offset, which nothing else writes.
            unsafe {
                $crate::accounting::static_counters::asm!(
                    "inc qword ptr gs:[rip + {counters} + {offset}]",
                    counters = sym COUNTERS,
                    offset = const COUNTER,
                    options(nostack),
                )
            };
            #[cfg(not(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML))))]
            // SAFETY: By the requirement of this function.
            unsafe {
                $crate::accounting::static_counters::count::<COUNTER>(&COUNTERS)
            };
        }

        fn static_counters() -> ::core::option::Option<&'static $crate::accounting::static_counters::StaticCounters> {
            const { $crate::accounting::static_counters::assert_sized::<Self>() };
            ::core::option::Option::Some(&COUNTERS)
        }
    };
}

/// Adds 1 to this CPU's counter at `COUNTER`.
///
/// # Safety
///
/// As for [`Tag::count_object`].
#[cfg(not(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML))))]
#[doc(hidden)]
#[inline(always)]
pub unsafe fn count<const COUNTER: usize>(counters: &'static StaticCounters) {
    const { assert_counter::<COUNTER>() };
    // SAFETY: The counters are in a module's per-CPU section, with one at the offset, which nothing
    // else writes.
    unsafe { crate::sys::percpu::this_cpu_inc::<_, COUNTER>(counters.percpu_ptr()) };
}

/// Checks that there is such a counter.
#[doc(hidden)]
pub const fn assert_counter<const COUNTER: usize>() {
    const { assert!(is_counter::<StaticCounters>(COUNTER)) };
}

/// Checks that a site has units to count.
#[doc(hidden)]
pub const fn assert_sized<S: Tag>() {
    const {
        assert!(
            unit::<S>() != 0,
            "`percpu` is for sites whose objects all have one size"
        )
    };
}
