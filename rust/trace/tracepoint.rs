// SPDX-License-Identifier: GPL-2.0-only

//! Probes of the allocators' tracepoints.
//!
//! C header: [`include/trace/events/kmem.h`](srctree/include/trace/events/kmem.h)
//!
//! Reference: <https://docs.kernel.org/trace/tracepoints.html>

use crate::{
    sys::bindings,
    trace, //
};
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    ffi::{
        c_int,
        c_uint,
        c_ulong,
        c_void, //
    },
    prelude::*,
    sync::Arc, //
};

/// A probe of the tracepoint `E`.
///
/// # Context
///
/// Any, including NMI: the probe runs wherever the allocator is called.
///
/// # Safety
///
/// [`hit`](Self::hit) must not reach the tracepoint itself, for example by allocating memory or by
/// a reference whose drop frees memory. The recursion would overflow the stack.
///
/// # Examples
///
/// ```
/// use kalloc::trace::tracepoint::{Kfree, Probe};
/// use kernel::sync::atomic::{Atomic, Relaxed};
///
/// /// Counts frees.
/// struct Frees(Atomic<u64>);
///
/// // SAFETY: The probe only adds to a number.
/// unsafe impl Probe<Kfree> for Frees {
///     fn hit(&self, _event: &Kfree) {
///         self.0.fetch_add(1, Relaxed);
///     }
/// }
///
/// let frees = Frees(Atomic::new(0));
/// frees.hit(&Kfree {
///     call_site: 0,
///     block: 0,
/// });
/// assert_eq!(frees.0.load(Relaxed), 1);
/// ```
pub unsafe trait Probe<E: Event>: Send + Sync + 'static {
    /// Handles an event.
    fn hit(&self, event: &E);
}

/// A tracepoint, with its arguments.
///
/// # Examples
///
/// ```
/// use kalloc::trace::tracepoint::{Event, MmPageFree};
///
/// assert_eq!(<MmPageFree as Event>::NAME, "kmem:mm_page_free");
/// ```
pub trait Event: Sized + sealed::Register {
    /// The name of the tracepoint.
    const NAME: &'static str;
}

mod sealed {
    use super::{
        c_int,
        c_void,
        Probe, //
    };

    /// Registers probes of a tracepoint. Only this module implements it.
    pub trait Register: Sized {
        /// Registers or unregisters the probe at `data`.
        ///
        /// # Safety
        ///
        /// `data` must point to a `P` until the probe is unregistered and has returned.
        unsafe fn set<P: Probe<Self>>(data: *mut c_void, on: bool) -> c_int
        where
            Self: super::Event;
    }
}

/// Implements an event: the C function that handles it, and the registration of that function.
macro_rules! event {
    ($event:ident, $name:literal, $helper:ident, ($($arg:ident: $type:ty),*), $value:expr) => {
        impl Event for $event {
            const NAME: &'static str = $name;
        }

        impl sealed::Register for $event {
            unsafe fn set<P: Probe<Self>>(data: *mut c_void, on: bool) -> c_int {
                /// Calls the probe.
                ///
                /// # Safety
                ///
                /// `data` must point to a `P`.
                unsafe extern "C" fn hit<P: Probe<$event>>(data: *mut c_void, $($arg: $type),*) {
                    // SAFETY: By the requirement of this function, the data are a `P`.
                    unsafe { &*data.cast::<P>() }.hit(&$value);
                }

                // SAFETY: The function has the type of the tracepoint. By the requirement of `set`,
                // the data point to a `P` as long as the function may be called.
                unsafe { bindings::$helper(Some(hit::<P>), data, on) }
            }
        }
    };
}

/// An allocation by kmalloc (`kmem:kmalloc`). A large block has a second event, of the allocator's
/// own call.
///
/// # Examples
///
/// ```
/// use kalloc::trace::tracepoint::Kmalloc;
///
/// fn waste(event: &Kmalloc) -> usize {
///     event.allocated - event.requested
/// }
///
/// let event = Kmalloc {
///     call_site: 0,
///     block: 0,
///     requested: 40,
///     allocated: 64,
/// };
/// assert_eq!(waste(&event), 24);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Kmalloc {
    /// The return address of the call.
    pub call_site: usize,
    /// The address of the block; 0 if the allocation failed.
    pub block: usize,
    /// The size that the caller requested.
    pub requested: usize,
    /// The size of the block.
    pub allocated: usize,
}

event!(
    Kmalloc,
    "kmem:kmalloc",
    kalloc_helper_trace_kmalloc,
    (call_site: c_ulong, block: *const c_void, requested: usize, allocated: usize,
     _gfp: bindings::gfp_t, _node: c_int),
    Kmalloc { call_site, block: block as usize, requested, allocated }
);

/// An allocation from a slab cache (`kmem:kmem_cache_alloc`).
///
/// # Examples
///
/// ```
/// use kalloc::trace::tracepoint::KmemCacheAlloc;
///
/// fn failed(event: &KmemCacheAlloc) -> bool {
///     event.block == 0
/// }
/// ```
///
/// # Invariants
///
/// The cache exists as long as this value, which lives during one event.
#[derive(Debug)]
pub struct KmemCacheAlloc {
    /// The return address of the call.
    pub call_site: usize,
    /// The address of the object; 0 if the allocation failed.
    pub block: usize,
    cache: *mut bindings::kmem_cache,
}

impl KmemCacheAlloc {
    /// Returns the size of the cache's objects.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::trace::tracepoint::KmemCacheAlloc;
    ///
    /// fn is_large(event: &KmemCacheAlloc) -> bool {
    ///     event.size() > 4096
    /// }
    /// ```
    pub fn size(&self) -> usize {
        // SAFETY: By the type invariants, the cache exists.
        // CAST: `usize` has 64 bits.
        unsafe { bindings::kmem_cache_size(self.cache) as usize }
    }
}

event!(
    KmemCacheAlloc,
    "kmem:kmem_cache_alloc",
    kalloc_helper_trace_kmem_cache_alloc,
    (call_site: c_ulong, block: *const c_void, cache: *mut bindings::kmem_cache,
     _gfp: bindings::gfp_t, _node: c_int),
    KmemCacheAlloc { call_site, block: block as usize, cache }
);

/// A free by `kfree()` (`kmem:kfree`), of NULL as well.
///
/// # Examples
///
/// ```
/// use kalloc::trace::tracepoint::Kfree;
///
/// let event = Kfree {
///     call_site: 0,
///     block: 0,
/// };
/// assert!(event.block == 0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Kfree {
    /// The return address of the call.
    pub call_site: usize,
    /// The address of the block.
    pub block: usize,
}

event!(
    Kfree,
    "kmem:kfree",
    kalloc_helper_trace_kfree,
    (call_site: c_ulong, block: *const c_void),
    Kfree { call_site, block: block as usize }
);

/// A free to a slab cache (`kmem:kmem_cache_free`).
///
/// # Examples
///
/// ```
/// use kalloc::trace::tracepoint::KmemCacheFree;
///
/// let event = KmemCacheFree {
///     call_site: 0,
///     block: 4096,
/// };
/// assert!(event.block != 0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct KmemCacheFree {
    /// The return address of the call.
    pub call_site: usize,
    /// The address of the object.
    pub block: usize,
}

event!(
    KmemCacheFree,
    "kmem:kmem_cache_free",
    kalloc_helper_trace_kmem_cache_free,
    (call_site: c_ulong, block: *const c_void, _cache: *const bindings::kmem_cache),
    KmemCacheFree { call_site, block: block as usize }
);

/// A free of a page block (`kmem:mm_page_free`), by any function that drops its last reference.
///
/// # Examples
///
/// ```
/// use kalloc::trace::tracepoint::MmPageFree;
///
/// let event = MmPageFree { page: 0, order: 1 };
/// assert_eq!(4096 << event.order, 8192);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MmPageFree {
    /// The address of the block's `struct page`.
    pub page: usize,
    /// The order of the block.
    pub order: u32,
}

event!(
    MmPageFree,
    "kmem:mm_page_free",
    kalloc_helper_trace_mm_page_free,
    (page: *mut bindings::page, order: c_uint),
    MmPageFree { page: page as usize, order }
);

/// A registered probe of the tracepoint `E`. Dropping it unregisters the probe and waits until it
/// has returned everywhere.
///
/// # Examples
///
/// ```no_run
/// use kalloc::trace::tracepoint::{Kfree, Probe, Registration};
/// use kernel::sync::Arc;
///
/// fn watch<P: Probe<Kfree>>(probe: Arc<P>) -> Result<Registration<Kfree, P>> {
///     // SAFETY: The module drops the registration when it is unloaded.
///     unsafe { Registration::new(probe) }
/// }
/// ```
///
/// # Invariants
///
/// The probe is registered, with a pointer to the value in `probe`.
pub struct Registration<E: Event, P: Probe<E>> {
    probe: Arc<P>,
    // The instance that registered the probe: each crate has a C function of its own.
    set: unsafe fn(*mut c_void, bool) -> c_int,
    _event: PhantomData<fn(&E)>,
}

impl<E: Event, P: Probe<E>> Registration<E, P> {
    /// Registers `probe`.
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
    /// - [`ENOENT`] if the kernel has no such tracepoint.
    /// - [`ENOSYS`] or `EOPNOTSUPP` if the kernel has no tracepoints.
    /// - [`ENOMEM`] if there is no memory.
    pub unsafe fn new(probe: Arc<P>) -> Result<Self> {
        // SAFETY: `drop` unregisters the probe and waits before it drops the reference. By the
        // requirement of this function, `drop` is called.
        to_result(unsafe { E::set::<P>(data(&probe), true) })?;
        // INVARIANT: The probe was just registered.
        Ok(Registration {
            probe,
            set: E::set::<P>,
            _event: PhantomData,
        })
    }
}

impl<E: Event, P: Probe<E>> Drop for Registration<E, P> {
    fn drop(&mut self) {
        // SAFETY: The data are those of the registration, by the type invariants. They are valid
        // until the reference is dropped, below.
        unsafe { (self.set)(data(&self.probe), false) };
        // SAFETY: By the requirement of `new`, this is no critical section of RCU.
        unsafe { trace::synchronize() };
    }
}

/// Returns the pointer that C passes to the probe.
fn data<P>(probe: &Arc<P>) -> *mut c_void {
    core::ptr::from_ref::<P>(probe).cast_mut().cast()
}
