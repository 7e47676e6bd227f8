// SPDX-License-Identifier: GPL-2.0-only

//! Slab caches of sites (`struct kmem_cache`): creation, destruction and geometry.
//!
//! A site has at most one cache at a time. Its owner may be dropped in atomic context, where a
//! cache cannot be destroyed. The drop therefore only marks the cache. The next scan destroys it,
//! at the latest when the site's module is unloaded (see
//! [`registry`](crate::accounting::registry)).

pub(crate) mod delayed;

use crate::sys::{
    bindings,
    gfp::Gfp, //
};
use core::{
    ops::Range,
    ptr::{
        self,
        NonNull, //
    },
    sync::atomic::{
        fence,
        AtomicBool,
        AtomicPtr,
        Ordering, //
    }, //
};
use kernel::{
    error::from_err_ptr,
    ffi::c_void,
    page::PAGE_SIZE,
    prelude::*,
    str::CString,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// The slab cache of a site (`struct kmem_cache`).
///
/// # Invariants
///
/// `cache` is NULL or a live cache, and changes only under the mutex of the list of sites. It
/// becomes NULL only when no object of the cache is live and no code can allocate from it. Then the
/// owner is dropped (`orphaned`), or the code of its module no longer runs.
pub(crate) struct CacheSlot {
    cache: AtomicPtr<bindings::kmem_cache>,
    orphaned: AtomicBool,
    /// The address at which objects without a reference to their owner find it.
    owner: AtomicPtr<c_void>,
    /// Bytes per object, objects per slab, pages per slab.
    geometry: [Atomic<u32>; 3],
}

/// Parameters of a new cache (`struct kmem_cache_args`).
pub(crate) struct Spec {
    pub(crate) size: u32,
    pub(crate) align: u32,
    pub(crate) flags: bindings::slab_flags_t,
    /// The capacity of the sheaves; 0 lets the kernel choose.
    pub(crate) sheaf_capacity: u32,
    /// The bytes of an object that may be copied to and from user space.
    pub(crate) usercopy: Range<u32>,
    /// The function that initializes an object in its memory.
    pub(crate) constructor: Option<unsafe extern "C" fn(*mut c_void)>,
    /// The offset of the free pointer in a free object. Without one, the free pointer of a
    /// constructed object follows the object.
    pub(crate) free_pointer: Option<u32>,
}

impl CacheSlot {
    pub(crate) const fn new() -> Self {
        // INVARIANT: `cache` is NULL.
        CacheSlot {
            cache: AtomicPtr::new(ptr::null_mut()),
            orphaned: AtomicBool::new(false),
            owner: AtomicPtr::new(ptr::null_mut()),
            geometry: [const { Atomic::new(0) }; 3],
        }
    }

    /// Returns the geometry of the cache, or of the site's last cache.
    pub(crate) fn geometry(&self) -> [u32; 3] {
        self.geometry.each_ref().map(|g| g.load(Relaxed))
    }

    /// Creates the cache `name`. `live` returns the number of its live objects.
    ///
    /// The caller must hold the lock of the list of sites.
    ///
    /// # Safety
    ///
    /// - `spec.size` must be from 1 to `KMALLOC_MAX_SIZE`, and `spec.align` a power of two.
    /// - `spec.constructor` must be a function of the site's module for memory of that size and
    ///   alignment, callable in any context.
    /// - `spec.free_pointer` must be the offset of a word inside the object that no code uses while
    ///   the object is free.
    /// - `spec.free_pointer` must be `None` without a constructor.
    ///
    /// # Errors
    ///
    /// The errors of [`KmemCache::new`](crate::KmemCache::new).
    pub(crate) unsafe fn open(
        &self,
        name: &str,
        live: impl Fn() -> u64,
        spec: Spec,
    ) -> Result<NonNull<bindings::kmem_cache>> {
        self.reap(live);
        if !self.cache.load(Ordering::Relaxed).is_null() {
            return Err(EEXIST);
        }
        // The kernel copies the name.
        let name = CString::try_from_fmt(fmt!("{name}"))?;
        // SAFETY: `spec` has a valid size, alignment, constructor and free pointer, by the
        // requirements of this function.
        let cache = unsafe { create(&name, spec)? };
        // SAFETY: `create` has returned a live cache.
        let geometry = unsafe { geometry(cache.as_ptr()) };
        for (to, from) in self.geometry.iter().zip(geometry) {
            to.store(from, Relaxed);
        }
        // INVARIANT: The cache is live, and the caller holds the lock of the list.
        self.orphaned.store(false, Ordering::Relaxed);
        self.cache.store(cache.as_ptr(), Ordering::Relaxed);
        Ok(cache)
    }

    /// Stores the address of the cache's owner, for objects that hold a share of it without its
    /// address.
    ///
    /// The address is that of a reference-counted allocation, from which the owner cannot move while
    /// an object has a share of it. The site has no other cache until then. Objects that exist at
    /// the same time therefore store the same address.
    pub(crate) fn share(&self, owner: *mut c_void) {
        self.owner.store(owner, Ordering::Relaxed);
    }

    /// Returns the address of the cache's owner. The caller must have an object with a share of it.
    ///
    /// The object came to this thread from the one that called [`share`](Self::share), so that the
    /// store is visible.
    pub(crate) fn shared(&self) -> *mut c_void {
        self.owner.load(Ordering::Relaxed)
    }

    /// Marks the cache as orphaned: no code allocates from it any more.
    pub(crate) fn orphan(&self) {
        self.orphaned.store(true, Ordering::Release);
    }

    /// Returns true if the cache has no owner, and is destroyed with its last object.
    ///
    /// The caller must have freed and counted an object. The cache may already be destroyed.
    #[inline]
    pub(crate) fn is_orphaned(&self) -> bool {
        // This fence pairs with the one in `reap`. The freeing CPU counts the free, then reads
        // `orphaned`; the dropping CPU sets `orphaned`, then reads the live count. At least one of
        // the two observes the other's write.
        fence(Ordering::SeqCst);
        self.orphaned.load(Ordering::Relaxed)
    }

    /// Destroys the cache if it is orphaned and has no live objects.
    ///
    /// The caller must hold the lock of the list of sites.
    pub(crate) fn reap(&self, live: impl Fn() -> u64) {
        if self.orphaned.load(Ordering::Acquire) {
            fence(Ordering::SeqCst);
            self.close(live);
        }
    }

    /// Destroys the cache if it exists and has no live objects.
    ///
    /// The caller must hold the lock of the list of sites. No code may be able to allocate from the
    /// cache.
    pub(crate) fn close(&self, live: impl Fn() -> u64) {
        let cache = self.cache.load(Ordering::Relaxed);
        if cache.is_null() || live() != 0 {
            return;
        }
        // This fence pairs with the one before an object's free is counted. Each object of the sum
        // is therefore back in the cache, or on the list of deferred frees.
        fence(Ordering::Acquire);
        delayed::free_all();
        self.cache.store(ptr::null_mut(), Ordering::Relaxed);
        self.orphaned.store(false, Ordering::Relaxed);
        // SAFETY: By the type invariants, the cache is live. It has no live objects.
        unsafe { bindings::kmem_cache_destroy(cache) };
    }
}

/// Allocates an object's memory from a cache. Returns NULL on failure.
///
/// # Safety
///
/// - `cache` must be a live cache.
/// - If it has a constructor, `gfp` must not contain `__GFP_ZERO`.
#[inline(always)]
pub(crate) unsafe fn alloc(cache: NonNull<bindings::kmem_cache>, gfp: Gfp) -> *mut c_void {
    // SAFETY: The cache is live, and the flags suit it, by the requirements of this function. The
    // kernel's allocation profiling attributes the allocation to a call site in C, so a C helper
    // makes the call.
    unsafe {
        if cfg!(CONFIG_MEM_ALLOC_PROFILING) {
            bindings::kalloc_helper_kmem_cache_alloc(cache.as_ptr(), gfp.as_raw())
        } else {
            bindings::kmem_cache_alloc_noprof(cache.as_ptr(), gfp.as_raw())
        }
    }
}

/// Creates a cache after checks that prevent every warning of the C function.
///
/// # Safety
///
/// The requirements of [`CacheSlot::open`] apply.
///
/// # Errors
///
/// The errors of [`KmemCache::new`](crate::KmemCache::new).
unsafe fn create(name: &CStr, spec: Spec) -> Result<NonNull<bindings::kmem_cache>> {
    // sysfs would create an unreachable directory; debugfs would fail.
    if matches!(name.to_bytes(), b"." | b"..") {
        return Err(EINVAL);
    }
    // The kernel would create the cache, and the sysfs entry of the other cache would lose its
    // name.
    // SAFETY: The name is a C string.
    if unsafe { bindings::kalloc_helper_slab_name_taken(name.as_char_ptr()) } {
        return Err(EEXIST);
    }
    // SAFETY: `spec` is valid by the requirements of this function.
    if !unsafe { fits(name, &spec)? } {
        return Err(EINVAL);
    }
    // SAFETY: `spec` is valid by the requirements of this function, and an object fits into a slab.
    unsafe { create_unchecked(name, &spec) }
}

/// Returns true if an object and its debug metadata fit into the largest slab. The metadata are red
/// zones, poison, traces, KASAN's metadata and a free pointer behind the object.
///
/// Their size also depends on the name (`slab_debug=`), and the kernel computes it only for a cache
/// that it creates. This function therefore creates a cache of smaller objects, and destroys it
/// again.
///
/// # Safety
///
/// The requirements of [`CacheSlot::open`] apply.
///
/// # Errors
///
/// [`ENOMEM`] if the smaller cache cannot be allocated.
unsafe fn fits(name: &CStr, spec: &Spec) -> Result<bool> {
    // Objects up to this size leave room for a page of metadata and for twice the alignment. The
    // alignment is at most the size or a page.
    const ALWAYS: u32 = bindings::KMALLOC_MAX_SIZE / 4;
    // CAST: A page has fewer than 2^32 bytes.
    const PAGE: u32 = PAGE_SIZE as u32;
    // KASAN treats all sizes from 64 KiB on alike. The size is not close to a power of two, where C
    // may leave out debug metadata (`slab_debug=O`).
    const SMALLER: u32 = 48 * PAGE;
    const { assert!(SMALLER + PAGE < ALWAYS) };

    if spec.size <= ALWAYS {
        return Ok(true);
    }
    let smaller = Spec {
        // The remainder of a page is equal, so C rounds both sizes up by the same amount.
        size: SMALLER + spec.size % PAGE,
        align: 1,
        usercopy: 0..0,
        ..*spec
    };
    // SAFETY: The requirements of this function also hold for a cache of smaller objects. The
    // constructor is never called, because nothing is allocated. The cache is live until it is
    // destroyed, without objects.
    let needs = unsafe {
        let cache = create_unchecked(name, &smaller)?.as_ptr();
        let needs = bindings::kalloc_helper_slab_needs(cache, spec.size, spec.align);
        bindings::kmem_cache_destroy(cache);
        needs
    };
    Ok(needs <= bindings::KMALLOC_MAX_SIZE as usize)
}

/// Creates a cache.
///
/// # Safety
///
/// The requirements of [`CacheSlot::open`] apply.
///
/// # Errors
///
/// [`ENOMEM`] if there is no memory, or any other error of the kernel, which logs it.
unsafe fn create_unchecked(name: &CStr, spec: &Spec) -> Result<NonNull<bindings::kmem_cache>> {
    // Some kernels have further fields; zero is their default.
    let mut args: bindings::kmem_cache_args = pin_init::zeroed();
    args.align = spec.align;
    args.useroffset = spec.usercopy.start;
    args.usersize = spec.usercopy.end - spec.usercopy.start;
    args.freeptr_offset = spec.free_pointer.unwrap_or(0);
    args.use_freeptr_offset = spec.free_pointer.is_some();
    args.ctor = spec.constructor;
    args.sheaf_capacity = spec.sheaf_capacity;
    // A merged cache would have no row in slabinfo.
    let flags = spec.flags | bindings::SLAB_NO_MERGE;
    // SAFETY: The name of a site is a valid name of a cache. The size, the alignment, the
    // constructor and the free pointer are valid by the requirements of this function.
    let cache = from_err_ptr(unsafe {
        bindings::__kmem_cache_create_args(name.as_char_ptr(), spec.size, &mut args, flags)
    })?;
    NonNull::new(cache).ok_or(ENOMEM)
}

/// Returns a cache's bytes per object, objects per slab, and pages per slab, as `/proc/slabinfo`
/// shows them.
///
/// # Safety
///
/// `cache` must be a live cache, or NULL, for which all numbers are 0.
pub(crate) unsafe fn geometry(cache: *mut bindings::kmem_cache) -> [u32; 3] {
    let mut geometry = [0; 3];
    if cache.is_null() {
        return geometry;
    }
    // SAFETY: The cache is live, and `geometry` has room for the three numbers.
    unsafe { bindings::kalloc_helper_slab_shape(cache, geometry.as_mut_ptr()) };
    if geometry[0] == 0 {
        // The module was built without the allocator's internal header. The object size is known
        // nevertheless; the other numbers assume that a slab is one page.
        // SAFETY: The cache is live.
        let size = unsafe { bindings::kmem_cache_size(cache) }.next_multiple_of(8);
        // CAST: A page has fewer than 2^32 bytes.
        let page = PAGE_SIZE as u32;
        let each = page.checked_div(size).unwrap_or(page);
        geometry = [size, each.max(1), size.div_ceil(page)];
    }
    geometry
}
