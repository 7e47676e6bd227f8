// SPDX-License-Identifier: GPL-2.0

//! The C side of slab caches: creating and destroying them, and what the allocator says of one.
//!
//! A site has at most one cache at a time. Whoever drops its owner may be in atomic context, where
//! a cache cannot be destroyed: it is only marked, and destroyed by the next one to look, at the
//! latest when the site's module goes (see [`registry`](crate::accounting::registry)).

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
        AtomicU32,
        Ordering, //
    }, //
};
use kernel::{
    error::from_err_ptr,
    ffi::c_void,
    page::PAGE_SIZE,
    prelude::*,
    str::CString, //
};

/// A site's slab cache.
///
/// # Invariants
///
/// `cache` is NULL or a live cache. It changes only under the mutex of the list of sites, and
/// becomes NULL only when no object of the cache is live and nobody can allocate from it: when its
/// owner is `orphaned`, or its module's code no longer runs.
pub(crate) struct CacheSlot {
    cache: AtomicPtr<bindings::kmem_cache>,
    orphaned: AtomicBool,
    /// Bytes per object, objects per slab, pages per slab.
    geometry: [AtomicU32; 3],
}

/// What a new cache is to be.
pub(crate) struct Spec {
    pub(crate) size: u32,
    pub(crate) align: u32,
    pub(crate) flags: bindings::slab_flags_t,
    /// 0 if the kernel is to choose.
    pub(crate) sheaf_capacity: u32,
    /// The bytes of an object that may be copied to and from user space.
    pub(crate) usercopy: Range<u32>,
    /// What makes an object of the memory that it is given.
    pub(crate) constructor: Option<unsafe extern "C" fn(*mut c_void)>,
    /// Where in a free object the allocator may keep a pointer, if not behind what is constructed.
    pub(crate) free_pointer: Option<u32>,
}

impl CacheSlot {
    pub(crate) const fn new() -> Self {
        // INVARIANT: No cache.
        CacheSlot {
            cache: AtomicPtr::new(ptr::null_mut()),
            orphaned: AtomicBool::new(false),
            geometry: [const { AtomicU32::new(0) }; 3],
        }
    }

    /// The geometry of the cache, or of the one there was last.
    pub(crate) fn geometry(&self) -> [u32; 3] {
        self.geometry.each_ref().map(|g| g.load(Ordering::Relaxed))
    }

    /// Creates the cache `name`, of whose objects `live` returns the number.
    ///
    /// To be called with the list of sites locked.
    ///
    /// # Safety
    ///
    /// - `spec.size` must be from 1 to `KMALLOC_MAX_SIZE`, and `spec.align` a power of two.
    /// - `spec.constructor` must be a function of the site's module, for memory of that size and
    ///   alignment; it may be called in any context.
    /// - `spec.free_pointer` must be the offset of a word that fits into the object, and that nobody
    ///   uses while the object is free; without a constructor there must be none.
    ///
    /// # Errors
    ///
    /// As [`KmemCache::new`](crate::KmemCache::new).
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
        // The kernel keeps a copy of the name.
        let name = CString::try_from_fmt(fmt!("{name}"))?;
        // SAFETY: By the requirements of this function.
        let cache = unsafe { create(&name, spec)? };
        // SAFETY: Just created.
        let geometry = unsafe { geometry(cache.as_ptr()) };
        for (to, from) in self.geometry.iter().zip(geometry) {
            to.store(from, Ordering::Relaxed);
        }
        // INVARIANT: Live, and the list is locked.
        self.orphaned.store(false, Ordering::Relaxed);
        self.cache.store(cache.as_ptr(), Ordering::Relaxed);
        Ok(cache)
    }

    /// Marks the cache as without an owner: nobody allocates from it any more.
    pub(crate) fn orphan(&self) {
        self.orphaned.store(true, Ordering::Release);
    }

    /// Whether the cache has no owner, and goes with its last object. To be asked after an object has
    /// been freed and counted, when the cache may be gone.
    #[inline]
    pub(crate) fn is_orphaned(&self) -> bool {
        // Pairs with the fence in `reap`: of the last object's free, and the mark, either this sees
        // the latter, or that the former.
        fence(Ordering::SeqCst);
        self.orphaned.load(Ordering::Relaxed)
    }

    /// Destroys the cache, if it has lost its owner and has no objects.
    ///
    /// To be called with the list of sites locked.
    pub(crate) fn reap(&self, live: impl Fn() -> u64) {
        if self.orphaned.load(Ordering::Acquire) {
            fence(Ordering::SeqCst);
            self.close(live);
        }
    }

    /// Destroys the cache, if there is one and it has no objects.
    ///
    /// To be called with the list of sites locked, when nobody can allocate from the cache.
    pub(crate) fn close(&self, live: impl Fn() -> u64) {
        let cache = self.cache.load(Ordering::Relaxed);
        if cache.is_null() || live() != 0 {
            return;
        }
        // Pairs with the fence before an object is counted as freed: the object is in the cache by now, or
        // on this list.
        fence(Ordering::Acquire);
        delayed::free_all();
        self.cache.store(ptr::null_mut(), Ordering::Relaxed);
        self.orphaned.store(false, Ordering::Relaxed);
        // SAFETY: By the invariants, the cache is live; it has no objects.
        unsafe { bindings::kmem_cache_destroy(cache) };
    }
}

/// Takes an object's memory out of a cache; NULL if there is none.
///
/// # Safety
///
/// `cache` must be a live cache. If it has a constructor, the flags must not ask for zeroes.
#[inline(always)]
pub(crate) unsafe fn alloc(cache: NonNull<bindings::kmem_cache>, gfp: Gfp) -> *mut c_void {
    // SAFETY: By the requirements of this function. The kernel's own profiler needs the call to be
    // made in C.
    unsafe {
        if cfg!(CONFIG_MEM_ALLOC_PROFILING) {
            bindings::kalloc_helper_kmem_cache_alloc(cache.as_ptr(), gfp.as_raw())
        } else {
            bindings::kmem_cache_alloc_noprof(cache.as_ptr(), gfp.as_raw())
        }
    }
}

/// Creates a cache, once it is certain that C does not complain.
///
/// # Safety
///
/// As for [`CacheSlot::open`].
///
/// # Errors
///
/// As [`KmemCache::new`](crate::KmemCache::new).
unsafe fn create(name: &CStr, spec: Spec) -> Result<NonNull<bindings::kmem_cache>> {
    // sysfs would make a directory that no path leads to; debugfs refuses to.
    if matches!(name.to_bytes(), b"." | b"..") {
        return Err(EINVAL);
    }
    // The kernel would create it, and take the other one's name from sysfs.
    // SAFETY: The name is a C string.
    if unsafe { bindings::kalloc_helper_slab_name_taken(name.as_char_ptr()) } {
        return Err(EEXIST);
    }
    // SAFETY: By the requirements of this function.
    if !unsafe { fits(name, &spec)? } {
        return Err(EINVAL);
    }
    // SAFETY: By the requirements of this function.
    unsafe { create_unchecked(name, &spec) }
}

/// Returns whether an object fits into the largest slab, with all that this kernel keeps with it: red
/// zones, poison, traces, the notes of KASAN, a pointer behind the object.
///
/// What that is depends on the name, too (`slab_debug=`), and the kernel computes it only for a
/// cache that it creates. So a cache of smaller objects is created first, and taken down again.
///
/// # Safety
///
/// As for [`CacheSlot::open`].
///
/// # Errors
///
/// [`ENOMEM`] if there is no memory for that cache.
unsafe fn fits(name: &CStr, spec: &Spec) -> Result<bool> {
    // Below, there is room for a page of metadata and twice the alignment, which is at most the size, or
    // a page.
    const ALWAYS: u32 = bindings::KMALLOC_MAX_SIZE / 4;
    // CAST: A page has fewer than 2^32 bytes.
    const PAGE: u32 = PAGE_SIZE as u32;
    // KASAN makes no difference between sizes from 64 KiB on. No power of two is near, where C might
    // leave out what is for debugging (`slab_debug=O`).
    const SMALLER: u32 = 48 * PAGE;
    const { assert!(SMALLER + PAGE < ALWAYS) };

    if spec.size <= ALWAYS {
        return Ok(true);
    }
    let smaller = Spec {
        // What C rounds up, it rounds up alike.
        size: SMALLER + spec.size % PAGE,
        align: 1,
        usercopy: 0..0,
        ..*spec
    };
    // SAFETY: The requirements of this function hold for a cache of smaller objects as well: a
    // constructor is never called, as nothing is allocated.
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
/// As for [`CacheSlot::open`].
///
/// # Errors
///
/// [`ENOMEM`] if there is no memory, or another reason the kernel gives, and prints.
unsafe fn create_unchecked(name: &CStr, spec: &Spec) -> Result<NonNull<bindings::kmem_cache>> {
    // A kernel may have more of them.
    let mut args: bindings::kmem_cache_args = pin_init::zeroed();
    args.align = spec.align;
    args.useroffset = spec.usercopy.start;
    args.usersize = spec.usercopy.end - spec.usercopy.start;
    args.freeptr_offset = spec.free_pointer.unwrap_or(0);
    args.use_freeptr_offset = spec.free_pointer.is_some();
    args.ctor = spec.constructor;
    args.sheaf_capacity = spec.sheaf_capacity;
    // Merged with another cache, this one would have no row in slabinfo.
    let flags = spec.flags | bindings::SLAB_NO_MERGE;
    // SAFETY: The name is that of a site, and so good for a cache; the rest is by the requirements of
    // this function.
    let cache = from_err_ptr(unsafe {
        bindings::__kmem_cache_create_args(name.as_char_ptr(), spec.size, &mut args, flags)
    })?;
    NonNull::new(cache).ok_or(ENOMEM)
}

/// Returns a cache's bytes per object, objects per slab, and pages per slab, as
/// `/proc/slabinfo` has them.
///
/// # Safety
///
/// `cache` must be NULL, for which there is no geometry, or a live cache.
pub(crate) unsafe fn geometry(cache: *mut bindings::kmem_cache) -> [u32; 3] {
    let mut geometry = [0; 3];
    if cache.is_null() {
        return geometry;
    }
    // SAFETY: The cache is live, and `geometry` has room for the three numbers.
    unsafe { bindings::kalloc_helper_slab_shape(cache, geometry.as_mut_ptr()) };
    if geometry[0] == 0 {
        // Built without the allocator's internal header: the object size is known all the same,
        // the rest is as if a slab were a page.
        // SAFETY: The cache is live.
        let size = unsafe { bindings::kmem_cache_size(cache) }.next_multiple_of(8);
        // CAST: A page has fewer than 2^32 bytes.
        let page = PAGE_SIZE as u32;
        let each = page.checked_div(size).unwrap_or(page);
        geometry = [size, each.max(1), size.div_ceil(page)];
    }
    geometry
}
