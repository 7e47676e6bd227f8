// SPDX-License-Identifier: GPL-2.0-only

//! The C side: safe wrappers of the functions in `bench/c/`.

use crate::fixture::Fixture;
use kernel::{
    error::to_result,
    ffi::{
        c_int,
        c_uint,
        c_ulong,
        c_void, //
    },
    prelude::*, //
};

/// Declares C functions that run an operation `n` times, with a parameter.
macro_rules! runs {
    ($($(#[$doc:meta])* $name:ident = $symbol:ident;)*) => {
        $(
            $(#[$doc])*
            pub(crate) fn $name(_: &Fixture, n: usize, param: usize) -> Result {
                extern "C" {
                    fn $symbol(n: c_ulong, param: c_ulong) -> c_int;
                }
                // SAFETY: The function accepts any numbers, and frees its allocations. The cache
                // that some of them use exists as long as a `Fixture`, which has a `Caches`.
                to_result(unsafe { $symbol(n, param) })
            }
        )*
    };
}

runs! {
    /// Runs an empty loop.
    empty_loop = kalloc_bench_loop;
    /// Measures `kmalloc` of a size that is known at compile time, and `kfree`.
    kmalloc = kalloc_bench_kmalloc;
    /// Measures many `kmalloc`s, then as many `kfree`s.
    kmalloc_many = kalloc_bench_kmalloc_many;
    /// Measures `kmalloc` of a size that is not known at compile time, and `kfree`.
    kmalloc_sized = kalloc_bench_kmalloc_sized;
    /// Measures an array that grows by `krealloc`.
    push = kalloc_bench_push;
    /// Measures `kmem_cache_alloc`, `kmem_cache_free`.
    cache = kalloc_bench_cache;
    /// Measures as many `kmem_cache_alloc`s as the parameter, then as many `kmem_cache_free`s.
    cache_one_by_one = kalloc_bench_cache_one_by_one;
    /// Measures `kmem_cache_alloc_bulk`, `kmem_cache_free_bulk`.
    cache_bulk = kalloc_bench_cache_bulk;
    /// Measures `alloc_pages`, `__free_pages`.
    pages = kalloc_bench_pages;
    /// Measures many `alloc_pages`, then as many `__free_pages`.
    pages_many = kalloc_bench_pages_many;
    /// Measures `alloc_pages_bulk`, then `__free_page` for each page.
    pages_bulk = kalloc_bench_pages_bulk;
    /// Measures `__get_free_pages`, `free_pages`.
    free_pages = kalloc_bench_free_pages;
    /// Measures `vmalloc`, `vfree`.
    vmalloc = kalloc_bench_vmalloc;
    /// Measures `vmalloc` of many sizes, and `vfree`.
    vmalloc_random = kalloc_bench_vmalloc_random;
    /// Measures `__vmalloc` without sleeping, and `vfree`.
    vmalloc_nowait = kalloc_bench_vmalloc_nowait;
    /// Measures `vrealloc` to several sizes, and `vfree`.
    vrealloc = kalloc_bench_vrealloc;
    /// Measures `vrealloc_node_align` of a new block, and `vfree`.
    vmalloc_aligned = kalloc_bench_vmalloc_aligned;
    /// Measures `vrealloc_node_align` with many sizes and alignments, and `vfree`.
    vmalloc_random_aligned = kalloc_bench_vmalloc_random_aligned;
    /// Measures `vmap`, `vunmap`.
    vmap = kalloc_bench_vmap;
    /// Measures `vm_map_ram`, `vm_unmap_ram`.
    vm_map_ram = kalloc_bench_vm_map_ram;
    /// Measures many `__alloc_percpu`, then as many `free_percpu`s.
    percpu = kalloc_bench_percpu;
    /// Measures two starts of a job on all CPUs.
    crew = kalloc_bench_crew;
    /// Measures `kmalloc`, `kfree` on all CPUs.
    all_pairs = kalloc_bench_all_pairs;
    /// Measures many `kmalloc`s on all CPUs, then as many `kfree`s.
    all_alloc_free = kalloc_bench_all_alloc_free;
    /// Measures many `kmalloc`s on all CPUs, then all `kfree`s on one CPU.
    remote_free = kalloc_bench_remote_free;
    /// Measures the `kmalloc`s for all CPUs on one CPU, then the `kfree`s on all CPUs.
    one_allocates = kalloc_bench_one_allocates;
    /// Measures `alloc_pages`, `__free_pages` on all CPUs.
    pages_all_pairs = kalloc_bench_pages_all_pairs;
    /// Measures many `alloc_pages` on all CPUs, then as many `__free_pages`.
    pages_all_alloc_free = kalloc_bench_pages_all_alloc_free;
    /// Measures many `alloc_pages` on all CPUs, then all `__free_pages` on one CPU.
    pages_remote_free = kalloc_bench_pages_remote_free;
    /// Measures the `alloc_pages` for all CPUs on one CPU, then the `__free_pages` on all CPUs.
    pages_one_allocates = kalloc_bench_pages_one_allocates;
    /// Measures many `alloc_pages` on all CPUs, then the `__free_pages` of each CPU on another one.
    pages_ring = kalloc_bench_pages_ring;
}

/// Purges the vmalloc ranges that were freed lately.
pub(crate) fn settle_vmalloc() {
    extern "C" {
        fn kalloc_bench_vmalloc_settle();
    }
    // SAFETY: The function may be called in any context that may sleep, like all of this module.
    unsafe { kalloc_bench_vmalloc_settle() };
}

/// Returns the processor's clock, in cycles.
pub(crate) fn cycles() -> u64 {
    extern "C" {
        fn kalloc_bench_cycles() -> u64;
    }
    // SAFETY: The function only reads a clock.
    unsafe { kalloc_bench_cycles() }
}

/// Returns the number of online CPUs.
pub(crate) fn cpus() -> usize {
    extern "C" {
        fn kalloc_bench_cpus() -> c_uint;
    }
    // SAFETY: The function only reads a number.
    unsafe { kalloc_bench_cpus() as usize }
}

/// Runs `job` on every CPU at the same time, with the CPU's number among the online ones.
pub(crate) fn on_cpus<F: Fn(usize) -> Result + Sync>(job: &F) -> Result {
    extern "C" {
        fn kalloc_bench_on_cpus(
            job: unsafe extern "C" fn(*mut c_void, c_uint) -> c_int,
            arg: *mut c_void,
        ) -> c_int;
    }
    /// Calls the job on behalf of C.
    ///
    /// # Safety
    ///
    /// `job` must point to an `F`.
    unsafe extern "C" fn call<F: Fn(usize) -> Result>(job: *mut c_void, nth: c_uint) -> c_int {
        // SAFETY: The caller guarantees that `job` points to an `F`.
        match unsafe { (*job.cast::<F>())(nth as usize) } {
            Ok(()) => 0,
            Err(e) => e.to_errno(),
        }
    }
    // SAFETY: The C function calls `call` with this pointer on other threads, which `F: Sync`
    // allows. It waits for all calls before it returns.
    to_result(unsafe {
        kalloc_bench_on_cpus(call::<F>, core::ptr::from_ref(job).cast_mut().cast())
    })
}

/// The cache of the C functions (`struct kmem_cache`).
pub(crate) struct Caches(());

impl Caches {
    /// Creates the cache; called once.
    pub(crate) fn new() -> Result<Self> {
        extern "C" {
            fn kalloc_bench_cache_create() -> c_int;
        }
        // SAFETY: This is the only call, and it precedes the functions that use the cache.
        to_result(unsafe { kalloc_bench_cache_create() })?;
        Ok(Caches(()))
    }
}

impl Drop for Caches {
    fn drop(&mut self) {
        extern "C" {
            fn kalloc_bench_cache_destroy();
        }
        // SAFETY: `new` created the cache. Only functions that take a fixture use it, and the
        // fixture is being dropped.
        unsafe { kalloc_bench_cache_destroy() };
    }
}
