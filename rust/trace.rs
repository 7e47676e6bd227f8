// SPDX-License-Identifier: GPL-2.0-only

//! Probes of the running kernel: tracepoints, function entries and returns, modules, symbols.
//!
//! | module | contents |
//! |---|---|
//! | [`tracepoint`] | probes of the allocators' tracepoints |
//! | [`fprobe`] | probes of the entries and returns of functions |
//! | [`module`] | modules by name, their code, and notifications of their loading and unloading |
//! | [`symbol`] | the names of addresses, and the addresses of functions |
//!
//! Registering a probe changes the code of the kernel while it runs. Without a registered probe,
//! none of this costs anything.

pub mod fprobe;
pub mod module;
pub mod symbol;
pub mod tracepoint;

use crate::sys::bindings;
use kernel::{
    error::Error,
    ffi::c_int, //
};

/// Waits until all probes that are running have returned.
///
/// Data that probes read is freed in three steps: unpublish it, call this, free it.
///
/// # Context
///
/// Process context; may sleep.
///
/// # Safety
///
/// The caller must not be in a read-side critical section of RCU, which a sleep would end.
///
/// # Examples
///
/// ```
/// use kalloc::trace;
///
/// // SAFETY: This thread reads nothing under RCU.
/// unsafe { trace::synchronize() };
/// ```
pub unsafe fn synchronize() {
    // SAFETY: The caller may sleep, by the requirement of this function.
    unsafe { bindings::kalloc_helper_trace_synchronize() };
}

/// Returns the time since boot in ticks of the timer.
///
/// # Context
///
/// Any.
///
/// # Examples
///
/// ```
/// use kalloc::trace;
///
/// let (before, after) = (trace::ticks(), trace::ticks());
/// assert!(after >= before);
/// assert!((after - before) / trace::TICKS_PER_SECOND < 60);
/// ```
#[inline]
pub fn ticks() -> u64 {
    // SAFETY: The variable is valid. The timer may be writing it: the read is volatile, and an
    // aligned word is not torn.
    // CAST: `usize` has 64 bits.
    unsafe { (&raw const bindings::jiffies).read_volatile() as u64 }
}

/// The number of [`ticks`] in a second.
pub const TICKS_PER_SECOND: u64 = bindings::HZ as u64;

/// The bits of the result of `kmem_cache_alloc_bulk()`, which is 0 if the allocation failed. The
/// others are arbitrary.
///
/// # Examples
///
/// ```
/// use kalloc::trace::BULK_RESULT;
///
/// // `bool` or `int`.
/// assert!(BULK_RESULT == 1 || BULK_RESULT == 0xffff_ffff);
/// ```
pub const BULK_RESULT: usize = bindings::BULK_RESULT;

/// Returns the address of the `struct page` of a block in the direct map of memory.
///
/// # Safety
///
/// `address` must be an address in the direct map.
///
/// # Examples
///
/// ```
/// use kalloc::trace;
///
/// let block = KBox::new([0u64; 8], GFP_KERNEL)?;
/// // SAFETY: kmalloc returns memory of the direct map.
/// let page = unsafe { trace::page_of((&raw const *block) as usize) };
/// assert!(page != 0);
/// # Ok::<(), Error>(())
/// ```
#[inline]
pub unsafe fn page_of(address: usize) -> usize {
    // SAFETY: The address is in the direct map by the requirement of this function.
    unsafe { bindings::kalloc_helper_virt_to_page(address as *const _) as usize }
}

/// Returns true if an address is in the area of vmalloc.
///
/// # Examples
///
/// ```
/// use kalloc::trace;
///
/// let block = KBox::new([0u64; 8], GFP_KERNEL)?;
/// assert!(!trace::is_vmalloc((&raw const *block) as usize));
/// # Ok::<(), Error>(())
/// ```
#[inline]
pub fn is_vmalloc(address: usize) -> bool {
    // SAFETY: The function only compares the address.
    unsafe { bindings::kalloc_helper_is_vmalloc_addr(address as *const _) }
}

/// Returns the size of the objects of a slab cache.
///
/// # Safety
///
/// `cache` must be the address of a `struct kmem_cache`, which exists during this call.
///
/// # Examples
///
/// ```
/// use kalloc::trace;
///
/// /// Returns the size of the objects of the cache in the first argument of a probed function.
/// ///
/// /// # Safety
/// ///
/// /// The argument must be a slab cache.
/// unsafe fn first_argument(cache: usize) -> usize {
///     // SAFETY: By the requirement of this function, and the caller of the probed function
///     // holds the cache.
///     unsafe { trace::object_size(cache) }
/// }
/// ```
#[inline]
pub unsafe fn object_size(cache: usize) -> usize {
    // SAFETY: The cache exists by the requirement of this function.
    // CAST: `usize` has 64 bits.
    unsafe { bindings::kmem_cache_size(cache as *mut _) as usize }
}

/// Returns whether an error is `EOPNOTSUPP`: the kernel has no such probes.
///
/// The kernel crate of Linux 7.2 has no name for this error.
///
/// # Examples
///
/// ```
/// use kalloc::trace;
///
/// assert!(trace::is_unsupported(Error::from_errno(-95)));
/// assert!(!trace::is_unsupported(ENOENT));
/// ```
pub fn is_unsupported(error: Error) -> bool {
    // CAST: The number of an error is small.
    error.to_errno() == -(bindings::EOPNOTSUPP as c_int)
}

/// Returns whether the kernel has tracepoints, without which no allocation can be traced.
///
/// # Errors
///
/// `EOPNOTSUPP` if it has none.
///
/// # Examples
///
/// ```
/// use kalloc::trace;
///
/// assert!(trace::supported().is_ok() || trace::supported().is_err_and(trace::is_unsupported));
/// ```
pub fn supported() -> Result<(), Error> {
    if cfg!(CONFIG_TRACEPOINTS) {
        return Ok(());
    }
    // CAST: The number of an error is small.
    Err(Error::from_errno(-(bindings::EOPNOTSUPP as c_int)))
}
