// SPDX-License-Identifier: GPL-2.0-only

//! Per-CPU memory: a value for every CPU.
//!
//! [`PerCpu<T>`] has a `T` for each possible CPU. Each CPU uses its own instance, so that no cache
//! line moves between CPUs. Readers combine the instances of all CPUs. [`Counter`] is the most
//! frequent case.
//!
//! ```
//! use kalloc::sys::percpu::{Counter, PerCpu};
//! use kernel::sync::atomic::{Atomic, Relaxed};
//!
//! struct Stats {
//!     hits: Counter,
//!     longest: PerCpu<Atomic<u64>>,
//! }
//!
//! impl Stats {
//!     fn hit(&self, length: u64) {
//!         self.hits.inc();
//!         self.longest
//!             .this(|longest| longest.store(longest.load(Relaxed).max(length), Relaxed));
//!     }
//! }
//!
//! let stats = Stats {
//!     hits: Counter::new(GFP_KERNEL)?,
//!     longest: PerCpu::new(GFP_KERNEL, |_| Atomic::new(0))?,
//! };
//! stats.hit(3);
//! stats.hit(2);
//! let longest = stats
//!     .longest
//!     .iter()
//!     .map(|(_, longest)| longest.load(Relaxed));
//! assert_eq!((stats.hits.sum(), longest.max()), (2, Some(3)));
//! # Ok::<(), Error>(())
//! ```
//!
//! [`PerCpu::new`] moves each value to its CPU, and is limited to values of 2 KiB.
//! [`PerCpu::pin_init`] and [`PerCpu::zeroed`] initialize larger values, up to 32 KiB, in place.
//!
//! The instance of a CPU is not exclusive to it: other CPUs read it, and interrupts may access it.
//! It is therefore only shared, and `T` must be [`Sync`]: an atomic compiles, a `Cell` does not.
//!
//! # Context
//!
//! Allocation may sleep unless the flags forbid it. With `CONFIG_PREEMPT_RT`, allocating and
//! dropping require a context that [allows allocation](crate::sys::context::can_allocate). All
//! other functions may be called in any context.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use crate::sys::{
    bindings,
    context,
    gfp::Gfp,
    in_place, //
};
use core::{
    convert::Infallible,
    ptr::NonNull, //
};
use kernel::{
    alloc::AllocError,
    cpu::CpuId,
    page::PAGE_SIZE,
    prelude::*, //
};

/// The size limit of a value (`PCPU_MIN_UNIT_SIZE`).
const MAX_SIZE: usize = 32 << 10;

/// A `T` for every possible CPU, allocated by `alloc_percpu()`.
///
/// # Examples
///
/// ```
/// use kalloc::sys::percpu::PerCpu;
/// use kernel::sync::atomic::{Atomic, Relaxed};
///
/// let longest = PerCpu::new(GFP_KERNEL, |_| Atomic::<u64>::new(0))?;
/// longest.this(|longest| longest.store(7, Relaxed));
/// let all = longest.iter().map(|(_, longest)| longest.load(Relaxed));
/// assert_eq!(all.max(), Some(7));
///
/// // The same, zeroed.
/// let longest = PerCpu::<u64>::zeroed(GFP_KERNEL)?;
/// assert!(longest.iter().all(|(_, &longest)| longest == 0));
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The pointer is a per-CPU pointer from `alloc_percpu()` for a `T`, which this value owns
/// exclusively. Every possible CPU's instance is a valid and pinned `T`: it never moves, and is
/// dropped in place.
pub struct PerCpu<T: Sync>(NonNull<T>);

// SAFETY: Per-CPU memory is not bound to a thread, and the `T`s may be sent by `T: Send`.
unsafe impl<T: Sync + Send> Send for PerCpu<T> {}
// SAFETY: A shared reference gives out only shared references to `T`s, which `T: Sync` allows in
// any thread.
unsafe impl<T: Sync> Sync for PerCpu<T> {}

impl<T: Sync> PerCpu<T> {
    /// Allocates a `T` for every possible CPU, and moves the value that `init` returns into each
    /// instance.
    ///
    /// The value is on the stack during the move. A `T` of more than 2 KiB does not compile here:
    /// [`pin_init`](Self::pin_init) and [`zeroed`](Self::zeroed) support up to 32 KiB.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory, if `gfp` allows sleeping in a context known to be
    /// atomic, or if the context does not [allow allocation](crate::sys::context::can_allocate).
    pub fn new(gfp: impl Into<Gfp>, mut init: impl FnMut(CpuId) -> T) -> Result<Self, AllocError> {
        const { in_place::assert_movable::<T>() };
        let initialized = Self::init_each(Self::alloc(gfp.into())?, |cpu, at| {
            // SAFETY: `init_each` passes memory for a `T`.
            unsafe { at.write(init(cpu)) };
            Ok::<(), Infallible>(())
        });
        initialized.map_err(|never| match never {})
    }

    /// Allocates a `T` for every possible CPU, and initializes each in place with the initializer
    /// that `init` returns.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it. `init` is called in the context of the caller.
    ///
    /// # Errors
    ///
    /// - [`ENOMEM`] if there is no memory, if `gfp` allows sleeping in a context known to be
    ///   atomic, or if the context does not [allow allocation](crate::sys::context::can_allocate).
    /// - The error of the initializer. The values of other CPUs are dropped and the memory is
    ///   freed.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::sys::percpu::PerCpu;
    /// use kernel::{
    ///     new_spinlock,
    ///     sync::SpinLock, //
    /// };
    ///
    /// /// A trace buffer of each CPU: 16 KiB, as large as the whole kernel stack.
    /// #[pin_data]
    /// struct Trace {
    ///     #[pin]
    ///     events: SpinLock<[u64; 2048]>,
    /// }
    ///
    /// let traces = PerCpu::pin_init(GFP_KERNEL, |_| {
    ///     pin_init!(Trace {
    ///         events <- new_spinlock!(pin_init::init_zeroed::<[u64; 2048]>()),
    ///     })
    /// })?;
    /// for (_, trace) in traces.iter() {
    ///     assert!(trace.events.lock().iter().all(|&event| event == 0));
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn pin_init<I, E>(gfp: impl Into<Gfp>, mut init: impl FnMut(CpuId) -> I) -> Result<Self>
    where
        I: PinInit<T, E>,
        Error: From<E>,
    {
        Self::init_each(Self::alloc(gfp.into())?, |cpu, at| {
            // SAFETY: `init_each` passes memory for a `T`. The value does not move, and nothing
            // reads it after an error.
            unsafe { in_place::raw_try_init(at, init(cpu))? };
            Ok(())
        })
    }

    /// Calls `init` for the instance of every possible CPU, in memory from `alloc`. Frees all of it
    /// after an error.
    fn init_each<E>(
        percpu: NonNull<T>,
        mut init: impl FnMut(CpuId, *mut T) -> Result<(), E>,
    ) -> Result<Self, E> {
        for cpu in possible_cpus() {
            // Every possible CPU has an id.
            let Some(id) = CpuId::from_i32(cpu) else {
                continue;
            };
            // SAFETY: The CPU is possible.
            if let Err(error) = init(id, unsafe { instance(percpu.as_ptr(), cpu) }) {
                // SAFETY: `init` has initialized the instances of the CPUs before `cpu`.
                unsafe { Self::free(percpu, possible_cpus().take_while(|&before| before < cpu)) };
                return Err(error);
            }
        }
        // INVARIANT: The per-CPU pointer is from `alloc_percpu()`, and `init` has initialized every
        // instance, none of which has moved.
        Ok(PerCpu(percpu))
    }

    /// Drops the instances of `cpus` and frees the memory.
    ///
    /// # Safety
    ///
    /// - `percpu` must be from `alloc`, and no code may use it afterwards.
    /// - `cpus` must be possible CPUs, and their instances must be valid.
    unsafe fn free(percpu: NonNull<T>, cpus: impl Iterator<Item = i32>) {
        if core::mem::needs_drop::<T>() {
            for cpu in cpus {
                // SAFETY: The CPU is possible and its instance is valid, by the requirements of
                // this function. Each is dropped once.
                unsafe { instance(percpu.as_ptr(), cpu).drop_in_place() };
            }
        }
        // SAFETY: The area is from `alloc_percpu()`, and nothing uses it afterwards.
        unsafe { bindings::free_percpu(percpu.as_ptr().cast()) };
    }

    /// Allocates a zeroed `T` for every possible CPU.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// The errors of [`PerCpu::new`].
    pub fn zeroed(gfp: impl Into<Gfp>) -> Result<Self, AllocError>
    where
        T: Zeroable,
    {
        // INVARIANT: The memory is zeroed, which is a valid `T` by `T: Zeroable`.
        Self::alloc(gfp.into()).map(PerCpu)
    }

    /// Allocates zeroed memory.
    fn alloc(gfp: Gfp) -> Result<NonNull<T>, AllocError> {
        const {
            assert!(size_of::<T>() > 0, "a per-CPU value must not be zero-sized");
            assert!(
                size_of::<T>() <= MAX_SIZE,
                "too large for a value for each CPU"
            );
            assert!(align_of::<T>() <= PAGE_SIZE);
        };
        if gfp.may_sleep() && context::known_atomic() || !context::can_allocate() {
            return Err(AllocError);
        }
        // SAFETY: The size is not 0. The size and the alignment are within the limits of the
        // per-CPU allocator.
        let percpu = unsafe {
            bindings::kalloc_helper_alloc_percpu(size_of::<T>(), align_of::<T>(), gfp.as_raw())
        };
        NonNull::new(percpu.cast()).ok_or(AllocError)
    }

    /// Calls `f` with this CPU's `T`.
    ///
    /// Preemption is disabled during the call, so the CPU stays the same and `f` must not sleep.
    /// With `CONFIG_PREEMPT_RT`, `f` must not take spinlocks or
    /// [allocate](crate::sys::context::can_allocate).
    #[inline]
    pub fn this<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        // SAFETY: Preemption is enabled again below; there is no unwinding in between.
        unsafe { bindings::kalloc_helper_preempt_disable() };
        // SAFETY: By the type invariants, this CPU's instance is a valid `T`. Preemption is
        // disabled.
        let result = f(unsafe { &*bindings::kalloc_helper_this_cpu_ptr(self.percpu_ptr()).cast() });
        // SAFETY: Preemption was disabled above.
        unsafe { bindings::kalloc_helper_preempt_enable() };
        result
    }

    /// Returns an iterator over the `T`s of all possible CPUs, online or not.
    pub fn iter(&self) -> impl Iterator<Item = (CpuId, &T)> {
        possible_cpus().filter_map(|cpu| {
            // SAFETY: The CPU is possible. By the type invariants, its instance is a valid `T`.
            Some((CpuId::from_i32(cpu)?, unsafe {
                &*instance(self.as_ptr(), cpu)
            }))
        })
    }

    /// Returns the per-CPU pointer, which is valid only relative to the base of a CPU.
    pub(crate) fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }

    #[inline]
    fn percpu_ptr(&self) -> *mut kernel::ffi::c_void {
        self.0.as_ptr().cast()
    }
}

impl<T: Sync> Drop for PerCpu<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, every possible CPU's instance is valid, and the memory is
        // from `alloc_percpu()`. No code uses it afterwards.
        unsafe { Self::free(self.0, possible_cpus()) };
    }
}

/// A counter to which every CPU adds independently, by one instruction on x86_64.
///
/// Other architectures use C's `this_cpu_add()`. The counter has 64 bits, and wraps.
///
/// # Examples
///
/// ```
/// use kalloc::sys::percpu::Counter;
///
/// let hits = Counter::new(GFP_KERNEL)?;
/// hits.inc();
/// hits.add(2);
/// assert_eq!(hits.sum(), 3);
/// # Ok::<(), Error>(())
/// ```
pub struct Counter(PerCpu<u64>);

impl Counter {
    /// Allocates a counter that is 0.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// The errors of [`PerCpu::new`].
    pub fn new(gfp: impl Into<Gfp>) -> Result<Self, AllocError> {
        PerCpu::zeroed(gfp).map(Counter)
    }

    /// Adds 1.
    #[inline]
    pub fn inc(&self) {
        // SAFETY: The per-CPU pointer is of a `u64` that is valid while `self` is borrowed. Only
        // this type writes the instances, and there are no references to them.
        unsafe { this_cpu_inc::<_, 0>(self.0.as_ptr()) };
    }

    /// Adds `n`.
    #[inline]
    pub fn add(&self, n: u64) {
        // SAFETY: The per-CPU pointer is of a `u64` that is valid while `self` is borrowed. Only
        // this type writes the instances, and there are no references to them.
        unsafe { this_cpu_add::<_, 0>(self.0.as_ptr(), n) };
    }

    /// Returns the sum over all CPUs. It includes an arbitrary part of concurrent additions.
    pub fn sum(&self) -> u64 {
        possible_cpus()
            // SAFETY: The CPU is possible. Its instance is valid and aligned. Its CPU may be
            // writing it: the read is volatile, and an aligned word is not torn.
            .map(|cpu| unsafe { instance(self.0.as_ptr(), cpu).read_volatile() })
            .fold(0, u64::wrapping_add)
    }
}

/// `N` counters to which every CPU adds independently, as to a [`Counter`].
///
/// # Examples
///
/// ```
/// use kalloc::sys::percpu::Counters;
///
/// let errors = Counters::<3>::new(GFP_KERNEL)?;
/// errors.add(1, 5);
/// errors.add(1, 2);
/// // There is no such counter.
/// errors.add(3, 9);
/// assert_eq!([0, 1, 2].map(|nth| errors.sum(nth)), [0, 7, 0]);
/// # Ok::<(), Error>(())
/// ```
pub struct Counters<const N: usize>(PerCpu<[u64; N]>);

impl<const N: usize> Counters<N> {
    /// Allocates counters that are 0.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// The errors of [`PerCpu::new`].
    pub fn new(gfp: impl Into<Gfp>) -> Result<Self, AllocError> {
        PerCpu::zeroed(gfp).map(Counters)
    }

    /// Adds `n` to the `nth` counter, if there is one.
    #[inline]
    pub fn add(&self, nth: usize, n: u64) {
        if nth < N {
            let counter = self.0.as_ptr().cast::<u64>().wrapping_add(nth);
            // SAFETY: The per-CPU pointer is of `N` numbers that are valid while `self` is
            // borrowed, and `nth` is less. Only this type writes the instances, and there are no
            // references to them.
            unsafe { this_cpu_add::<_, 0>(counter, n) };
        }
    }

    /// Adds 1 to the `nth` counter, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::sys::percpu::Counters;
    ///
    /// let hits = Counters::<2>::new(GFP_KERNEL)?;
    /// hits.inc(1);
    /// hits.inc(2);
    /// assert_eq!([0, 1].map(|nth| hits.sum(nth)), [0, 1]);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn inc(&self, nth: usize) {
        if nth < N {
            // SAFETY: The per-CPU pointer is of `N` numbers that are valid while `self` is
            // borrowed, and `nth` is less. Only this type writes the instances, and there are no
            // references to them.
            unsafe { this_cpu_inc_nth::<_, 0>(self.0.as_ptr(), nth) };
        }
    }

    /// Returns the sum of the `nth` counter over all CPUs, or 0 if there is no such counter. It
    /// includes an arbitrary part of concurrent additions.
    pub fn sum(&self, nth: usize) -> u64 {
        if nth >= N {
            return 0;
        }
        possible_cpus()
            // SAFETY: The CPU is possible. Its instance is valid and aligned, and `nth` is less than
            // `N`. Its CPU may be writing it: the read is volatile, and an aligned word is not torn.
            .map(|cpu| unsafe {
                instance(self.0.as_ptr(), cpu)
                    .cast::<u64>()
                    .add(nth)
                    .read_volatile()
            })
            .fold(0, u64::wrapping_add)
    }
}

/// Returns the address of `cpu`'s instance of a per-CPU variable.
///
/// # Safety
///
/// - `percpu` must be a per-CPU pointer.
/// - `cpu` must be a possible CPU.
pub(crate) unsafe fn instance<T>(percpu: *mut T, cpu: i32) -> *mut T {
    // SAFETY: `percpu` is a per-CPU pointer and `cpu` is possible, by the requirements of this
    // function.
    unsafe { bindings::kalloc_helper_per_cpu_ptr(percpu.cast(), cpu).cast() }
}

/// Adds `n` to this CPU's instance of the `u64` at `OFFSET` bytes into the per-CPU variable
/// `percpu` (`this_cpu_add()`). Neither preemption nor an interrupt can split the addition.
///
/// # Safety
///
/// - `percpu` must be a valid per-CPU pointer, with a `u64` at that offset.
/// - Only the functions of this family may write that `u64`.
#[inline(always)]
pub(crate) unsafe fn this_cpu_add<T, const OFFSET: usize>(percpu: *mut T, n: u64) {
    #[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
    // SAFETY: On x86_64, GS addresses this CPU's instance of a per-CPU variable. The memory is
    // valid by the requirements of this function.
    unsafe {
        core::arch::asm!(
            "add qword ptr gs:[{percpu} + {offset}], {n}",
            percpu = in(reg) percpu,
            offset = const OFFSET,
            n = in(reg) n,
            options(nostack),
        )
    };
    #[cfg(not(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML))))]
    // SAFETY: The per-CPU pointer and the offset are valid by the requirements of this function.
    unsafe {
        bindings::kalloc_helper_this_cpu_add(percpu.wrapping_byte_add(OFFSET).cast(), n)
    };
}

/// Adds 1 in the same way (`this_cpu_inc()`), without a register for the number.
///
/// # Safety
///
/// The requirements of [`this_cpu_add`] apply.
#[inline(always)]
pub(crate) unsafe fn this_cpu_inc<T, const OFFSET: usize>(percpu: *mut T) {
    #[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
    // SAFETY: On x86_64, GS addresses this CPU's instance of a per-CPU variable. The memory is
    // valid by the requirements of this function.
    unsafe {
        core::arch::asm!(
            "inc qword ptr gs:[{percpu} + {offset}]",
            percpu = in(reg) percpu,
            offset = const OFFSET,
            options(nostack),
        )
    };
    #[cfg(not(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML))))]
    // SAFETY: The per-CPU pointer and the offset are valid by the requirements of this function.
    unsafe {
        this_cpu_add::<T, OFFSET>(percpu, 1)
    };
}

/// Adds 1 in the same way to the `nth` `u64` from `OFFSET` on.
///
/// # Safety
///
/// The requirements of [`this_cpu_add`] apply, for that `u64`.
#[inline(always)]
pub(crate) unsafe fn this_cpu_inc_nth<T, const OFFSET: usize>(percpu: *mut T, nth: usize) {
    #[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
    // SAFETY: On x86_64, GS addresses this CPU's instance of a per-CPU variable. The memory is
    // valid by the requirements of this function.
    unsafe {
        core::arch::asm!(
            "inc qword ptr gs:[{percpu} + {nth} * 8 + {offset}]",
            percpu = in(reg) percpu,
            nth = in(reg) nth,
            offset = const OFFSET,
            options(nostack),
        )
    };
    #[cfg(not(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML))))]
    // SAFETY: The per-CPU pointer and the index are valid by the requirements of this function.
    unsafe {
        this_cpu_inc::<u64, OFFSET>(percpu.cast::<u64>().wrapping_add(nth))
    };
}

/// Returns an iterator over the possible CPUs (`for_each_possible_cpu()`).
pub(crate) fn possible_cpus() -> impl Iterator<Item = i32> {
    // SAFETY: Both helpers read values that do not change after boot.
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
