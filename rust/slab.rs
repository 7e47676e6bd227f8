// SPDX-License-Identifier: GPL-2.0-only

//! Slab caches: pools of objects of one type.
//!
//! | C | here |
//! |---|---|
//! | `kmem_cache_create` | [`KmemCache::new`], [`Options`] |
//! | `kmem_cache_create_usercopy` | [`KmemCache::with_usercopy`], [`Field`] |
//! | a constructor | [`ConstructedCache`], [`Construct`] |
//! | `SLAB_TYPESAFE_BY_RCU` | [`RcuCache`] |
//! | `kmem_cache_alloc`, `_zalloc` | [`KmemCache::reserve`], [`KmemCache::alloc`], [`KmemCache::zeroed`] |
//! | `kmem_cache_free` | drop of an [`Object`] |
//! | `kmem_cache_alloc_bulk`, `_free_bulk` | [`Batch`] |
//! | `kmem_cache_shrink` | [`KmemCache::shrink`] |
//! | `kmem_cache_destroy` | drop of the [`KmemCache`] |
//!
//! The site gives a cache its name and its type, and has at most one cache at a time. Caches are
//! never merged, so that `/proc/slabinfo` has a row of that name, too.
//!
//! An object holds its cache, and is given back to it on drop. It can neither be freed into another
//! cache nor outlive its own. An [`Object`] borrows the cache, which costs nothing; an
//! [`ArcObject`] shares it, and can be kept anywhere.
//!
//! There are three kinds of caches:
//!
//! - The objects of a [`KmemCache`] are initialized when they are allocated, and dropped when they
//!   are freed.
//! - The objects of a [`ConstructedCache`] are initialized with their slab, and stay initialized.
//!   Locks and lists need not be initialized again for each allocation.
//! - The objects of an [`RcuCache`] may be read under the RCU read lock alone, while they are freed
//!   and become other objects.
//!
//! # Context
//!
//! Creating and shrinking a cache sleeps. Allocating may sleep unless the flags forbid it. Freeing
//! never sleeps. Dropping a cache does not sleep either, because a worker destroys it. With
//! `CONFIG_PREEMPT_RT`, objects must be freed in a context that [may
//! allocate](crate::sys::context::can_allocate).
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h)

use crate::{
    accounting::{
        family,
        registry,
        site::{
            Family,
            Shape,
            Site,
            Tag, //
        },
        stats::{
            PerCpuPtr,
            Totals, //
        }, //
    },
    sys::{
        bindings,
        context,
        gfp::Gfp,
        kmem_cache::Spec, //
    }, //
};
use core::{
    marker::PhantomData,
    ops::Range,
    ptr::NonNull, //
};
use kernel::{
    alloc::AllocError,
    prelude::*,
    sync::Arc,
    transmute::AsBytes, //
};

pub mod args;
pub mod bulk;
pub mod ctor;
mod foreign;
pub mod object;
mod self_counting;
pub mod typesafe_by_rcu;
pub mod usercopy;

pub use self::{
    args::Options,
    bulk::{
        ArcBatch,
        Batch,
        Reserve, //
    },
    ctor::{
        Construct,
        Constructed,
        ConstructedCache,
        Reset, //
    },
    object::{
        ArcObject,
        Object,
        Owned,
        Slot, //
    },
    typesafe_by_rcu::{
        RcuCache,
        RcuLink,
        RcuPtr,
        RcuRef,
        RcuSlot,
        TypesafeByRcu, //
    },
    usercopy::Field, //
};

impl Family for family::SlabCache {
    const NAME: &'static str = "cache";
    const MAX_SIZE: usize = crate::alloc::kmalloc::MAX_SIZE;

    fn unit_footprint(site: &Site) -> usize {
        let [size, ..] = site.cache().geometry();
        size as usize
    }

    fn shape(site: &Site, live: &Totals) -> Shape {
        Shape::packed(site.cache().geometry(), Self::unit_footprint(site), live)
    }
}

/// A site of a slab cache: an abbreviation of the bounds on the [`Tag`].
///
/// # Examples
///
/// ```
/// use kalloc::{
///     slab::{Options, SlabSite},
///     KmemCache,
/// };
///
/// /// Creates a cache whose objects start at a cache line.
/// fn aligned<S: SlabSite>() -> Result<KmemCache<S>> {
///     KmemCache::new(Options::new().hwcache_align())
/// }
///
/// kalloc::sites! {
///     Nodes: cache([u64; 7]), "doc_slab_site";
/// }
///
/// let cache = aligned::<Nodes>()?;
/// let node = cache.alloc([0; 7], GFP_KERNEL)?;
/// assert_eq!(node.as_ptr().addr() % 64, 0);
/// # Ok::<(), Error>(())
/// ```
pub trait SlabSite: Tag<Family = family::SlabCache, Object: Sized> {}

impl<S: Tag<Family = family::SlabCache, Object: Sized>> SlabSite for S {}

/// A slab cache of `S::Object`s (`struct kmem_cache`), counted at site `S` and named after it.
///
/// # Examples
///
/// ```
/// use kalloc::{slab::Options, KmemCache, Tag};
/// use kernel::sync::Arc;
///
/// struct Session {
///     id: u64,
/// }
///
/// kalloc::sites! {
///     Sessions: cache(Session), "doc_kmem_cache";
/// }
///
/// let cache = Arc::new(KmemCache::<Sessions>::new(Options::new())?, GFP_KERNEL)?;
/// let first = cache.alloc(Session { id: 1 }, GFP_KERNEL)?;
/// // The memory is reserved first, so that nothing fails once the session is initialized.
/// let second = cache.reserve(GFP_KERNEL)?.write(Session { id: 2 });
/// // This object can be kept anywhere, since it shares the cache.
/// let third = cache.reserve_arc(GFP_KERNEL)?.write(Session { id: 3 });
/// assert_eq!(first.id + second.id + third.id, 6);
///
/// drop((first, second));
/// cache.shrink()?;
/// drop(cache);
/// assert_eq!(third.id, 3);
/// assert_eq!(Sessions::site().totals().live(), 1);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `ptr` is a live cache for objects of `S::Object`'s layout. No other `KmemCache` has it, and its
/// objects are freed into it only.
pub struct KmemCache<S: SlabSite> {
    ptr: NonNull<bindings::kmem_cache>,
    /// The site that opened the cache: `S::site()`.
    site: &'static Site,
    /// The site's counters. A copy in the cache lets a loop load the pointer once.
    percpu: PerCpuPtr,
    /// The bytes of an object that may be copied to and from user space.
    usercopy: Range<u32>,
    _site: PhantomData<fn() -> S>,
}

// SAFETY: The C functions of a cache do their own locking, and may be called by any thread.
unsafe impl<S: SlabSite> Send for KmemCache<S> {}
// SAFETY: The C functions of a cache do their own locking, and may be called by several threads at
// once.
unsafe impl<S: SlabSite> Sync for KmemCache<S> {}

impl<S: SlabSite> KmemCache<S> {
    /// Creates the cache of site `S`.
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// - [`EAGAIN`] if the caller is known to be in atomic context.
    /// - [`EINVAL`] if the site is not [registered](crate::register), or an option is out of range;
    ///   if the site is named `.` or `..`, which sysfs does not allow; if the largest slab has no
    ///   room for an object and the metadata of this kernel, for example of KASAN or `slab_debug=`.
    /// - [`EEXIST`] if the site has a cache already, or the kernel has one of that name.
    /// - [`ENOMEM`] if there is not enough memory, or the kernel fails for another reason.
    pub fn new(options: Options) -> Result<Self> {
        Self::of(options.spec::<S::Object>()?)
    }

    /// Creates the cache of site `S`, with `field` as the usercopy region: only its bytes may be
    /// copied to and from user space. See [`field!`](crate::field).
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// The errors of [`new`](Self::new), and [`EINVAL`] if the offset of `field`, which
    /// [`field!`](crate::field) computes, is not that of a field inside the object.
    pub fn with_usercopy<F: AsBytes>(options: Options, field: Field<S::Object, F>) -> Result<Self> {
        Self::of(Spec {
            usercopy: field.range()?,
            ..options.spec::<S::Object>()?
        })
    }

    /// Creates the cache. `spec` must be for `S::Object`, without a constructor.
    fn of(spec: Spec) -> Result<Self> {
        let usercopy = spec.usercopy.clone();
        let site = S::site();
        // SAFETY: A spec from `Options` fits `S::Object`, and has no constructor.
        let ptr = unsafe { create(site, spec)? };
        // INVARIANT: The cache is new and for this layout, and the site has no other one. An
        // `Owned` and a `Slot` free into the cache that they hold.
        Ok(KmemCache {
            ptr,
            site,
            percpu: site.counters(),
            usercopy,
            _site: PhantomData,
        })
    }

    /// Reserves the memory of an object, to be [written](Slot::write).
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails.
    #[inline(always)]
    pub fn reserve(&self, gfp: impl Into<Gfp>) -> Result<Slot<S, &Self>, AllocError> {
        Slot::reserve(self, gfp.into())
    }

    /// Reserves the memory of an object. The slot, and the object made in it, share the cache.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails.
    #[inline]
    pub fn reserve_arc(
        self: &Arc<Self>,
        gfp: impl Into<Gfp>,
    ) -> Result<Slot<S, Arc<Self>>, AllocError> {
        Slot::reserve(self.clone(), gfp.into())
    }

    /// Allocates an object and moves `value` into it. The value has at most 2 KiB, like that of
    /// [`Slot::write`].
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with `value` in it, if the allocation fails.
    #[inline]
    pub fn alloc(
        &self,
        value: S::Object,
        gfp: impl Into<Gfp>,
    ) -> Result<Object<'_, S>, Rejected<S::Object>> {
        match self.reserve(gfp) {
            Ok(slot) => Ok(slot.write(value)),
            Err(AllocError) => Err(Rejected(value)),
        }
    }

    /// Allocates a zeroed object.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails.
    #[inline]
    pub fn zeroed(&self, gfp: impl Into<Gfp>) -> Result<Object<'_, S>, AllocError>
    where
        S::Object: Zeroable,
    {
        let slot = self.reserve(gfp.into() | Gfp::ZERO)?;
        // SAFETY: All bytes are zero, which is a valid `S::Object`, since it is `Zeroable`.
        Ok(unsafe { slot.assume_init() })
    }

    /// Counts an object at `COUNTER`, one of the constants in
    /// [`counter`](crate::accounting::stats::counter).
    ///
    /// # Safety
    ///
    /// The caller must count each allocated object once, and each freed object once.
    #[inline(always)]
    unsafe fn count<const COUNTER: usize>(&self) {
        if S::PERCPU {
            // SAFETY: The caller counts each allocation and each free once.
            unsafe { S::count_object::<COUNTER>() };
        } else {
            self.percpu.count::<COUNTER>();
        }
    }

    /// Gives empty slabs back to the page allocator, including those that each CPU keeps.
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// [`EAGAIN`] if the caller is known to be in atomic context.
    pub fn shrink(&self) -> Result {
        // SAFETY: By the type invariants, the cache is live.
        unsafe { shrink(self.ptr) }
    }
}

impl<S: SlabSite> Drop for KmemCache<S> {
    /// Gives up the cache. A worker destroys it soon after, in any case before the site gets
    /// another cache and before the module is unloaded.
    fn drop(&mut self) {
        let leaked = self.site.totals().live();
        if leaked > 0 {
            // Objects were forgotten, which is safe: they stay valid, and therefore the cache and
            // its name stay, too.
            pr_warn!(
                "cache {}: not destroyed, {leaked} objects were leaked\n",
                self.site.name()
            );
            return;
        }
        // No object is left: each one holds the cache, and none was forgotten.
        registry::orphan_cache(self.site);
    }
}

/// Creates the slab cache of a site, to be given up by [`registry::orphan_cache`].
///
/// # Safety
///
/// The requirements of [`CacheSlot::open`](crate::sys::kmem_cache::CacheSlot::open).
///
/// # Errors
///
/// The errors of [`KmemCache::new`], except those of the options.
unsafe fn create(site: &'static Site, spec: Spec) -> Result<NonNull<bindings::kmem_cache>> {
    if context::known_atomic() {
        return Err(EAGAIN);
    }
    // SAFETY: The caller fulfills the requirements of `CacheSlot::open`, to which `open_cache`
    // passes `spec`.
    unsafe { registry::open_cache(site, spec) }
}

/// Shrinks a cache.
///
/// # Safety
///
/// The cache must be live.
///
/// # Errors
///
/// [`EAGAIN`] if the caller is known to be in atomic context.
unsafe fn shrink(cache: NonNull<bindings::kmem_cache>) -> Result {
    if context::known_atomic() {
        return Err(EAGAIN);
    }
    // SAFETY: The caller guarantees that the cache is live. The result only indicates whether any
    // slab is left.
    unsafe { bindings::kmem_cache_shrink(cache.as_ptr()) };
    Ok(())
}

/// A value that could not be stored, because its allocation failed.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     slab::{Options, Rejected},
///     KmemCache,
/// };
///
/// kalloc::sites! {
///     Nodes: cache(u64), "doc_rejected";
/// }
///
/// let cache = KmemCache::<Nodes>::new(Options::new())?;
/// // If the allocation fails, the value is not lost.
/// let value = match cache.alloc(7, GFP_NOWAIT) {
///     Ok(node) => node.into_inner(),
///     Err(Rejected(value)) => value,
/// };
/// assert_eq!(value, 7);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Rejected<T>(pub T);

impl<T> From<Rejected<T>> for Error {
    fn from(_: Rejected<T>) -> Error {
        ENOMEM
    }
}
