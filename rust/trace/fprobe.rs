// SPDX-License-Identifier: GPL-2.0-only

//! Probes of the entries and returns of functions (`struct fprobe`).
//!
//! Any function of the kernel can be probed by name, if the compiler has left room for ftrace at
//! its entry. A probe of the return costs more than one of the entry alone, but only for the calls
//! that [`Probe::enter`] selects.
//!
//! During a call whose return is probed, the return address on the stack is that of ftrace's
//! [trampoline]. Functions that read their return address, for example for a tracepoint, read that.
//! So does a probe of a function to which the probed function jumps (a tail call).
//!
//! ftrace does not call a probe from within a probe of the same context, so probes do not recurse.
//!
//! C header: [`include/linux/fprobe.h`](srctree/include/linux/fprobe.h)
//!
//! Reference: <https://docs.kernel.org/trace/fprobe.html>

use crate::sys::{
    bindings,
    context, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    ffi::{
        c_char,
        c_int,
        c_uint,
        c_ulong,
        c_void, //
    },
    prelude::*,
    sync::Arc, //
};

/// Words that the entry of a function keeps for its return.
///
/// # Examples
///
/// ```
/// use kalloc::trace::fprobe::Words;
///
/// let words = Words::default();
/// assert!(words.iter().all(|&word| word == 0));
/// ```
pub type Words = [usize; bindings::FPROBE_WORDS];

/// A probe of functions.
///
/// # Context
///
/// Any context in which the functions may be called, including NMI, with preemption disabled.
///
/// # Safety
///
/// The methods must not sleep, and must not take a lock that the probed functions may be called
/// with.
///
/// # Examples
///
/// ```
/// use kalloc::trace::fprobe::{Call, Probe, Words};
/// use kernel::sync::atomic::{Atomic, Relaxed};
///
/// /// Adds up the first argument of successful calls.
/// struct Sum(Atomic<usize>);
///
/// // SAFETY: The probe only adds to a number.
/// unsafe impl Probe for Sum {
///     const RETURNS: bool = true;
///
///     fn enter(&self, call: &Call<'_>, words: &mut Words) -> bool {
///         words[0] = call.argument(0);
///         true
///     }
///
///     fn leave(&self, value: usize, words: &Words) {
///         if value != 0 {
///             self.0.fetch_add(words[0], Relaxed);
///         }
///     }
/// }
///
/// let sum = Sum(Atomic::new(0));
/// sum.leave(1, &[7; size_of::<Words>() / size_of::<usize>()]);
/// sum.leave(0, &Words::default());
/// assert_eq!(sum.0.load(Relaxed), 7);
/// ```
pub unsafe trait Probe: Send + Sync + 'static {
    /// True if the probe needs the functions' returns.
    const RETURNS: bool = false;

    /// Handles the entry of a function. Returns true if the probe needs the return of this call.
    ///
    /// `words` have arbitrary values before, and are not kept if [`RETURNS`](Self::RETURNS) is false.
    fn enter(&self, call: &Call<'_>, words: &mut Words) -> bool;

    /// Handles the return of a function with `value`, and the words from its entry.
    fn leave(&self, value: usize, words: &Words) {
        let _ = (value, words);
    }
}

/// A call of a probed function, at its entry (`struct ftrace_regs`).
///
/// # Examples
///
/// ```
/// use kalloc::trace::fprobe::Call;
///
/// fn is_first_argument_null(call: &Call<'_>) -> bool {
///     call.caller() != 0 && call.argument(0) == 0
/// }
/// ```
///
/// # Invariants
///
/// `regs` are the registers at the entry of a function, as long as this value exists.
pub struct Call<'a> {
    caller: usize,
    regs: *mut c_void,
    _entry: PhantomData<&'a ()>,
}

impl Call<'_> {
    /// Returns the address to which the function returns.
    #[inline]
    pub fn caller(&self) -> usize {
        self.caller
    }

    /// Returns an argument of the function, or 0 if it is not available. Arguments on the stack
    /// (those after the sixth on x86_64, after the eighth on arm64) are available on both.
    #[inline]
    pub fn argument(&self, nth: u32) -> usize {
        // SAFETY: By the type invariants, the registers are those of a function's entry.
        unsafe { bindings::kalloc_helper_fprobe_argument(self.regs, nth as c_uint) }
    }
}

/// A registered probe of functions.
///
/// The drop waits for the calls whose return the probe awaits, for at most five seconds from
/// [`close`](Self::close) or from its own start. It then unregisters the probe, and waits until its
/// handlers have returned. Later returns do not reach the probe; its memory in C is then not freed.
///
/// # Examples
///
/// ```no_run
/// use kalloc::trace::fprobe::{Probe, Registration};
/// use kernel::sync::Arc;
///
/// fn watch<P: Probe>(probe: Arc<P>) -> Result<Registration<P>> {
///     // SAFETY: The module drops the registration when it is unloaded.
///     unsafe { Registration::new(probe, &[c"vmalloc_noprof", c"vzalloc_noprof"]) }
/// }
/// ```
///
/// # Invariants
///
/// `raw` is a probe from `kalloc_helper_fprobe_new()`, with a pointer to the value in `_probe`.
pub struct Registration<P: Probe> {
    raw: NonNull<c_void>,
    _probe: Arc<P>,
}

// SAFETY: A probe is not bound to a thread.
unsafe impl<P: Probe> Send for Registration<P> {}
// SAFETY: A shared reference gives no access.
unsafe impl<P: Probe> Sync for Registration<P> {}

impl<P: Probe> Registration<P> {
    /// Registers `probe` for the functions with these names. Names that the kernel does not have,
    /// or cannot probe, are left out.
    ///
    /// # Safety
    ///
    /// - The registration must be dropped before the code of `P` is freed: it must not be leaked by a
    ///   module that can be unloaded.
    /// - It must not be dropped in a read-side critical section of RCU, which a sleep would end.
    ///
    /// # Context
    ///
    /// Process context; may sleep. Dropping may sleep as well.
    ///
    /// # Errors
    ///
    /// - [`ENOENT`] if none of the functions can be probed.
    /// - `EOPNOTSUPP` if the kernel has no fprobes.
    /// - [`ENOMEM`] if there is no memory.
    pub unsafe fn new(probe: Arc<P>, names: &[&'static CStr]) -> Result<Self> {
        // GFP: The caller selects no flags: changing the kernel's code sleeps.
        let mut list = KVec::with_capacity(names.len(), GFP_KERNEL)?;
        for name in names {
            list.push(name.as_char_ptr(), GFP_KERNEL)?;
        }
        match Self::register(&probe, &mut list) {
            Err(error) if error == ENOENT => {
                list.clear();
                for name in names {
                    let one = name.as_char_ptr();
                    match Self::register(&probe, &mut [one]) {
                        Ok(_) => list.push(one, GFP_KERNEL)?,
                        Err(error) if error == ENOENT => {}
                        Err(error) => return Err(error),
                    }
                }
                if list.is_empty() {
                    return Err(ENOENT);
                }
                Self::register(&probe, &mut list)
            }
            result => result,
        }
    }

    /// Registers the probe for all of these functions, and sorts their names.
    fn register(probe: &Arc<P>, names: &mut [*const c_char]) -> Result<Self> {
        let data = core::ptr::from_ref::<P>(probe).cast_mut().cast();
        let leave = match P::RETURNS {
            true => Some(leave::<P> as unsafe extern "C" fn(_, _, _)),
            false => None,
        };
        // SAFETY: The functions accept this data. The data exist until `drop` has unregistered the
        // probe, which the caller of `new` ensures.
        let raw = unsafe { bindings::kalloc_helper_fprobe_new(data, Some(enter::<P>), leave) };
        let raw = NonNull::new(raw).ok_or(ENOMEM)?;
        // INVARIANT: The probe is new, and has a pointer to the value in `probe`.
        let registration = Registration {
            raw,
            _probe: probe.clone(),
        };
        // CAST: The number of names is small.
        let count = names.len() as c_int;
        // SAFETY: The probe is not registered. The names are static strings.
        to_result(unsafe {
            bindings::kalloc_helper_fprobe_register(raw.as_ptr(), names.as_mut_ptr(), count)
        })?;
        Ok(registration)
    }

    /// Stops calling [`Probe::enter`].
    ///
    /// An entry that runs on another CPU may still be awaited: the drop waits for it. The five
    /// seconds of the drop begin here. Close several probes before the first one is dropped, to
    /// wait for all of them at the same time.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use kalloc::trace::fprobe::{Probe, Registration};
    ///
    /// fn end<P: Probe>(mut probes: [Registration<P>; 2]) {
    ///     for probe in &mut probes {
    ///         probe.close();
    ///     }
    /// }
    /// ```
    pub fn close(&mut self) {
        // SAFETY: By the type invariants, this owns the probe.
        unsafe { bindings::kalloc_helper_fprobe_close(self.raw.as_ptr()) };
    }
}

impl<P: Probe> Drop for Registration<P> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, this owns the probe. It is not used again. The handler
        // exists until the handlers that are running have returned, for which this waits.
        unsafe { bindings::kalloc_helper_fprobe_free(self.raw.as_ptr()) };
    }
}

/// Forwards the entry of a function.
///
/// # Safety
///
/// - `data` must point to a `P`.
/// - `regs` must be the registers at the entry of a function.
/// - `words` must be NULL or point to [`Words`].
unsafe extern "C" fn enter<P: Probe>(
    data: *mut c_void,
    caller: c_ulong,
    regs: *mut c_void,
    words: *mut c_ulong,
) -> bool {
    // INVARIANT: The registers are those of a function's entry, by the requirements of this
    // function. The value exists until this function returns.
    let call = Call {
        caller,
        regs,
        _entry: PhantomData,
    };
    let mut none;
    // SAFETY: By the requirements of this function, the words are valid if there are some. They may
    // be uninitialized memory of a stack, which belongs to this call, and in which every pattern of
    // bits is a number.
    let words = match unsafe { words.cast::<Words>().as_mut() } {
        Some(words) => words,
        None => {
            none = Words::default();
            &mut none
        }
    };
    // SAFETY: By the requirements of this function, the data are a `P`.
    unsafe { &*data.cast::<P>() }.enter(&call, words)
}

/// Forwards the return of a function.
///
/// # Safety
///
/// - `data` must point to a `P`.
/// - `words` must point to [`Words`].
unsafe extern "C" fn leave<P: Probe>(data: *mut c_void, value: c_ulong, words: *const c_ulong) {
    // SAFETY: By the requirements of this function, the data are a `P`, and the words are valid.
    unsafe { (*data.cast::<P>()).leave(value, &*words.cast::<Words>()) };
}

/// Returns the address of ftrace's trampoline, which is the return address of a function whose return
/// is probed, or `None` if it is not known.
///
/// # Context
///
/// Process context; may sleep.
///
/// # Examples
///
/// ```
/// use kalloc::trace::{fprobe, symbol};
///
/// if let Some(address) = fprobe::trampoline() {
///     assert!(symbol::with(address, |symbol| symbol.module.is_none())?);
/// }
/// # Ok::<(), Error>(())
/// ```
pub fn trampoline() -> Option<usize> {
    if context::known_atomic() {
        return None;
    }
    // SAFETY: The function registers a probe of its own, and unregisters it.
    let address = unsafe { bindings::kalloc_helper_fprobe_trampoline() };
    (address != 0).then_some(address)
}
