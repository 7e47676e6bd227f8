// SPDX-License-Identifier: GPL-2.0

//! Per-CPU memory: a value for every CPU.
//!
//! [`PerCpu<T>`] has a `T` for each CPU that the machine can have. Each CPU uses its own, so that its
//! cache line stays where it is; whoever wants to know the whole looks at all of them. [`Counter`] is
//! the most frequent case.
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
//! [`PerCpu::new`] moves each value to its CPU, and so takes values up to 2 KiB. Larger ones, up to 32 KiB,
//! are initialized in place, by [`PerCpu::pin_init`] or [`PerCpu::zeroed`].
//!
//! A CPU's value is not that CPU's alone: others read it, and an interrupt may come in between. It is
//! therefore only ever shared, and must be [`Sync`]: atomics will do, a `Cell` does not compile.
//!
//! # Context
//!
//! Allocating may sleep unless the flags say otherwise. With `CONFIG_PREEMPT_RT`, it is done and dropped where
//! [memory may be had](crate::sys::context::can_allocate). All else may be done anywhere.
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

/// The largest value (`PCPU_MIN_UNIT_SIZE`).
const MAX_SIZE: usize = 32 << 10;

/// A `T` for every possible CPU.
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
/// // The same.
/// let longest = PerCpu::<u64>::zeroed(GFP_KERNEL)?;
/// assert!(longest.iter().all(|(_, &longest)| longest == 0));
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The pointer is a per-CPU pointer from `alloc_percpu()` for a `T`, which no other value has. Every
/// possible CPU's instance is a valid `T`, which is pinned: it never moves, and is dropped where it is.
pub struct PerCpu<T: Sync>(NonNull<T>);

// SAFETY: The memory belongs to no thread; it owns `T`s.
unsafe impl<T: Sync + Send> Send for PerCpu<T> {}
// SAFETY: A shared reference gives out shared references to `T`s, to any thread.
unsafe impl<T: Sync> Sync for PerCpu<T> {}

impl<T: Sync> PerCpu<T> {
    /// Allocates a `T` for every possible CPU and moves the value there that `init` returns.
    ///
    /// The value is on the stack meanwhile. A `T` of more than 2 KiB does not compile here:
    /// [`pin_init`](Self::pin_init) and [`zeroed`](Self::zeroed) take up to 32 KiB.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory, or where sleeping is known not to be allowed.
    pub fn new(gfp: impl Into<Gfp>, mut init: impl FnMut(CpuId) -> T) -> Result<Self, AllocError> {
        const { in_place::assert_movable::<T>() };
        let initialized = Self::init_each(Self::alloc(gfp.into())?, |cpu, at| {
            // SAFETY: `init_each` passes memory for a `T`.
            unsafe { at.write(init(cpu)) };
            Ok::<(), Infallible>(())
        });
        initialized.map_err(|never| match never {})
    }

    /// Allocates a `T` for every possible CPU and initializes each in place, where it stays, by the
    /// initializer that `init` returns.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it. `init` is called in the context of the caller.
    ///
    /// # Errors
    ///
    /// - [`ENOMEM`] if there is no memory, or where sleeping is known not to be allowed.
    /// - The initializer's. The values of other CPUs are dropped and the memory is freed.
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
    /// /// A trace of each CPU: 16 KiB, as large as the whole kernel stack.
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
            // SAFETY: `init_each` passes memory for a `T`, which stays there, and which nothing reads
            // after an error.
            unsafe { in_place::raw_try_init(at, init(cpu))? };
            Ok(())
        })
    }

    /// Has `init` initialize the instance of every possible CPU, in memory from `alloc`. Frees all of it
    /// after an error.
    fn init_each<E>(
        percpu: NonNull<T>,
        mut init: impl FnMut(CpuId, *mut T) -> Result<(), E>,
    ) -> Result<Self, E> {
        for cpu in possible_cpus() {
            // Possible CPUs have ids.
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
        // INVARIANT: The per-CPU pointer is from `alloc_percpu()`, and `init` has initialized every instance,
        // none of which has moved.
        Ok(PerCpu(percpu))
    }

    /// Drops the instances of `cpus` and frees the memory.
    ///
    /// # Safety
    ///
    /// - `percpu` must be from `alloc`, and nothing may use it afterwards.
    /// - The instances of `cpus`, which are possible, must be valid.
    unsafe fn free(percpu: NonNull<T>, cpus: impl Iterator<Item = i32>) {
        if core::mem::needs_drop::<T>() {
            for cpu in cpus {
                // SAFETY: The CPU is possible and its instance is valid, by the requirements of this
                // function. Each is dropped once.
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
    /// As [`PerCpu::new`].
    pub fn zeroed(gfp: impl Into<Gfp>) -> Result<Self, AllocError>
    where
        T: Zeroable,
    {
        // INVARIANT: The memory comes zeroed.
        Self::alloc(gfp.into()).map(PerCpu)
    }

    /// Allocates zeroed memory.
    fn alloc(gfp: Gfp) -> Result<NonNull<T>, AllocError> {
        const {
            assert!(size_of::<T>() > 0, "a value for each CPU has a size");
            assert!(
                size_of::<T>() <= MAX_SIZE,
                "too large for a value for each CPU"
            );
            assert!(align_of::<T>() <= PAGE_SIZE);
        };
        if gfp.may_sleep() && context::known_atomic() || !context::can_allocate() {
            return Err(AllocError);
        }
        // SAFETY: The size is not 0, and both are within the limits of the per-CPU allocator.
        let percpu = unsafe {
            bindings::kalloc_helper_alloc_percpu(size_of::<T>(), align_of::<T>(), gfp.as_raw())
        };
        NonNull::new(percpu.cast()).ok_or(AllocError)
    }

    /// Calls `f` with this CPU's `T`. The CPU stays the same meanwhile: `f` is not preempted, and must
    /// not sleep; with `CONFIG_PREEMPT_RT` it must not take spinlocks either, nor
    /// [allocate](crate::sys::context::can_allocate).
    #[inline]
    pub fn this<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        // SAFETY: Enabled again below; there is no unwinding in between.
        unsafe { bindings::kalloc_helper_preempt_disable() };
        // SAFETY: By the invariants.
        let result = f(unsafe { &*bindings::kalloc_helper_this_cpu_ptr(self.percpu_ptr()).cast() });
        // SAFETY: Disabled above.
        unsafe { bindings::kalloc_helper_preempt_enable() };
        result
    }

    /// All `T`s, each with the CPU it belongs to, whether that is online or not.
    pub fn iter(&self) -> impl Iterator<Item = (CpuId, &T)> {
        possible_cpus().filter_map(|cpu| {
            // SAFETY: The CPU is possible; the instance is valid by the invariants.
            Some((CpuId::from_i32(cpu)?, unsafe {
                &*instance(self.as_ptr(), cpu)
            }))
        })
    }

    /// The per-CPU pointer: an address only relative to a CPU's per-CPU base.
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
        // SAFETY: By the invariants, every possible CPU's instance is valid, and the area is from
        // `alloc_percpu()` and not used again.
        unsafe { Self::free(self.0, possible_cpus()) };
    }
}

/// A number that every CPU adds to without regard to the others: one instruction, on x86_64.
///
/// Elsewhere it is C's `this_cpu_add()`. It holds 64 bits, and wraps after that.
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
    /// Allocates a counter of nothing.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// As [`PerCpu::new`].
    pub fn new(gfp: impl Into<Gfp>) -> Result<Self, AllocError> {
        PerCpu::zeroed(gfp).map(Counter)
    }

    /// Adds 1.
    #[inline]
    pub fn inc(&self) {
        // SAFETY: The per-CPU pointer is of a `u64`, which is valid while `self` is borrowed; nothing else
        // writes it, and there are no references to it.
        unsafe { this_cpu_inc::<_, 0>(self.0.as_ptr()) };
    }

    /// Adds `n`.
    #[inline]
    pub fn add(&self, n: u64) {
        // SAFETY: As for `inc`.
        unsafe { this_cpu_add::<_, 0>(self.0.as_ptr(), n) };
    }

    /// What was added, on all CPUs. While others add, some of that is in it, and some is not.
    pub fn sum(&self) -> u64 {
        possible_cpus()
            // SAFETY: The CPU is possible. Its instance is valid and aligned; its CPU may be writing
            // it: the read is volatile, and an aligned word is not torn.
            .map(|cpu| unsafe { instance(self.0.as_ptr(), cpu).read_volatile() })
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
    // SAFETY: By the requirements of this function.
    unsafe { bindings::kalloc_helper_per_cpu_ptr(percpu.cast(), cpu).cast() }
}

/// Adds `n` to this CPU's instance of the `u64` at `OFFSET` bytes into the per-CPU variable
/// `percpu`, in one step that neither preemption nor an interrupt can split: `this_cpu_add()`.
///
/// # Safety
///
/// There must be a `u64` at that offset that is only ever written by this function, and `percpu`
/// must be valid.
#[inline(always)]
pub(crate) unsafe fn this_cpu_add<T, const OFFSET: usize>(percpu: *mut T, n: u64) {
    #[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
    // SAFETY: On x86_64, GS addresses this CPU's instance of a per-CPU variable. The memory is valid by the
    // requirements of this function.
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
    // SAFETY: By the requirements of this function.
    unsafe {
        bindings::kalloc_helper_this_cpu_add(percpu.wrapping_byte_add(OFFSET).cast(), n)
    };
}

/// Adds 1, likewise: `this_cpu_inc()`, which needs no register for the number.
///
/// # Safety
///
/// As for [`this_cpu_add`].
#[inline(always)]
pub(crate) unsafe fn this_cpu_inc<T, const OFFSET: usize>(percpu: *mut T) {
    #[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
    // SAFETY: As in `this_cpu_add`.
    unsafe {
        core::arch::asm!(
            "inc qword ptr gs:[{percpu} + {offset}]",
            percpu = in(reg) percpu,
            offset = const OFFSET,
            options(nostack),
        )
    };
    #[cfg(not(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML))))]
    // SAFETY: By the requirements of this function.
    unsafe {
        this_cpu_add::<T, OFFSET>(percpu, 1)
    };
}

/// Adds 1 to the `nth` `u64` from `OFFSET` on, likewise.
///
/// # Safety
///
/// As for [`this_cpu_add`], for that `u64`.
#[inline(always)]
pub(crate) unsafe fn this_cpu_inc_nth<T, const OFFSET: usize>(percpu: *mut T, nth: usize) {
    #[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
    // SAFETY: As in `this_cpu_add`.
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
    // SAFETY: By the requirements of this function.
    unsafe {
        this_cpu_inc::<u64, OFFSET>(percpu.cast::<u64>().wrapping_add(nth))
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
