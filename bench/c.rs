// SPDX-License-Identifier: GPL-2.0

//! The C side: the functions of `bench/c/`, each as safe to call as what it does is.

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

/// Declares C functions that do something `n` times, with a parameter.
macro_rules! runs {
    ($($(#[$doc:meta])* $name:ident = $symbol:ident;)*) => {
        $(
            $(#[$doc])*
            pub(crate) fn $name(_: &Fixture, n: usize, param: usize) -> Result {
                extern "C" {
                    fn $symbol(n: c_ulong, param: c_ulong) -> c_int;
                }
                // SAFETY: Takes any numbers, and frees what it allocates. The cache that some of
                // them use exists as long as a `Fixture`, which has a `Caches`.
                to_result(unsafe { $symbol(n, param) })
            }
        )*
    };
}

runs! {
    /// An empty loop.
    empty_loop = kalloc_bench_loop;
    /// `kmalloc` of a size that is known when compiling, `kfree`.
    kmalloc = kalloc_bench_kmalloc;
    /// Many `kmalloc`s, then as many `kfree`s.
    kmalloc_many = kalloc_bench_kmalloc_many;
    /// `kmalloc` of a size that is not known when compiling, `kfree`.
    kmalloc_sized = kalloc_bench_kmalloc_sized;
    /// An array that grows by `krealloc`.
    push = kalloc_bench_push;
    /// `kmem_cache_alloc`, `kmem_cache_free`.
    cache = kalloc_bench_cache;
    /// As many `kmem_cache_alloc`s as the parameter says, then as many `kmem_cache_free`s.
    cache_one_by_one = kalloc_bench_cache_one_by_one;
    /// `kmem_cache_alloc_bulk`, `kmem_cache_free_bulk`.
    cache_bulk = kalloc_bench_cache_bulk;
    /// `alloc_pages`, `__free_pages`.
    pages = kalloc_bench_pages;
    /// Many `alloc_pages`, then as many `__free_pages`.
    pages_many = kalloc_bench_pages_many;
    /// `alloc_pages_bulk`, then `__free_page` for each.
    pages_bulk = kalloc_bench_pages_bulk;
    /// `__get_free_pages`, `free_pages`.
    free_pages = kalloc_bench_free_pages;
    /// `vmalloc`, `vfree`.
    vmalloc = kalloc_bench_vmalloc;
    /// `vmalloc` of many sizes, `vfree`.
    vmalloc_random = kalloc_bench_vmalloc_random;
    /// `__vmalloc` that does not sleep, `vfree`.
    vmalloc_nowait = kalloc_bench_vmalloc_nowait;
    /// `vrealloc` to several sizes, `vfree`.
    vrealloc = kalloc_bench_vrealloc;
    /// `vrealloc_node_align` of a new block, `vfree`.
    vmalloc_aligned = kalloc_bench_vmalloc_aligned;
    /// The same with many sizes and alignments.
    vmalloc_random_aligned = kalloc_bench_vmalloc_random_aligned;
    /// `vmap`, `vunmap`.
    vmap = kalloc_bench_vmap;
    /// `vm_map_ram`, `vm_unmap_ram`.
    vm_map_ram = kalloc_bench_vm_map_ram;
    /// Many `__alloc_percpu`, then as many `free_percpu`s.
    percpu = kalloc_bench_percpu;
    /// What it takes to get all CPUs to work, twice.
    crew = kalloc_bench_crew;
    /// `kmalloc`, `kfree` on all CPUs.
    all_pairs = kalloc_bench_all_pairs;
    /// Many `kmalloc`s on all CPUs, then as many `kfree`s.
    all_alloc_free = kalloc_bench_all_alloc_free;
    /// Many `kmalloc`s on all CPUs, then all `kfree`s on one.
    remote_free = kalloc_bench_remote_free;
    /// As many `kmalloc`s for each CPU on one, then the `kfree`s on all.
    one_allocates = kalloc_bench_one_allocates;
    /// The same with `alloc_pages` and `__free_pages`: one after the other.
    pages_all_pairs = kalloc_bench_pages_all_pairs;
    /// Many, then their frees, on all CPUs.
    pages_all_alloc_free = kalloc_bench_pages_all_alloc_free;
    /// Many on all CPUs, all frees on one.
    pages_remote_free = kalloc_bench_pages_remote_free;
    /// Many on one CPU, the frees on all.
    pages_one_allocates = kalloc_bench_pages_one_allocates;
    /// Many on all CPUs, each one's frees on another.
    pages_ring = kalloc_bench_pages_ring;
}

/// Has ranges of vmalloc that were freed lately given up now.
pub(crate) fn settle_vmalloc() {
    extern "C" {
        fn kalloc_bench_vmalloc_settle();
    }
    // SAFETY: May be called whenever sleeping is allowed, as it is in all of this module.
    unsafe { kalloc_bench_vmalloc_settle() };
}

/// The processor's clock, in cycles.
pub(crate) fn cycles() -> u64 {
    extern "C" {
        fn kalloc_bench_cycles() -> u64;
    }
    // SAFETY: Reads a clock.
    unsafe { kalloc_bench_cycles() }
}

/// How many CPUs are online.
pub(crate) fn cpus() -> usize {
    extern "C" {
        fn kalloc_bench_cpus() -> c_uint;
    }
    // SAFETY: Reads a number.
    unsafe { kalloc_bench_cpus() as usize }
}

/// Does `job` on every CPU at the same time, with the number of the CPU among those that are online.
pub(crate) fn on_cpus<F: Fn(usize) -> Result + Sync>(job: &F) -> Result {
    extern "C" {
        fn kalloc_bench_on_cpus(
            job: unsafe extern "C" fn(*mut c_void, c_uint) -> c_int,
            arg: *mut c_void,
        ) -> c_int;
    }
    /// # Safety
    ///
    /// `job` must point to an `F`.
    unsafe extern "C" fn call<F: Fn(usize) -> Result>(job: *mut c_void, nth: c_uint) -> c_int {
        // SAFETY: By the requirement of this function.
        match unsafe { (*job.cast::<F>())(nth as usize) } {
            Ok(()) => 0,
            Err(e) => e.to_errno(),
        }
    }
    // SAFETY: The function calls `call` with this pointer on other threads, which `F` allows, and waits
    // for all of them.
    to_result(unsafe {
        kalloc_bench_on_cpus(call::<F>, core::ptr::from_ref(job).cast_mut().cast())
    })
}

/// What the C functions need to exist.
pub(crate) struct Caches(());

impl Caches {
    /// Creates it; called once.
    pub(crate) fn new() -> Result<Self> {
        extern "C" {
            fn kalloc_bench_cache_create() -> c_int;
        }
        // SAFETY: Called once, before the functions that use the cache.
        to_result(unsafe { kalloc_bench_cache_create() })?;
        Ok(Caches(()))
    }
}

impl Drop for Caches {
    fn drop(&mut self) {
        extern "C" {
            fn kalloc_bench_cache_destroy();
        }
        // SAFETY: Created in `new`, and used by functions only that were shown the fixture.
        unsafe { kalloc_bench_cache_destroy() };
    }
}
