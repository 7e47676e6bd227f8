// SPDX-License-Identifier: GPL-2.0

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
//! never merged with others, so that `/proc/slabinfo` has a row of that name, too.
//!
//! An object holds its cache, and goes back to it when dropped: it cannot be freed into another,
//! nor outlive its own. An [`Object`] borrows the cache, which costs nothing; an [`ArcObject`]
//! shares it, and may be kept anywhere.
//!
//! There are three kinds of caches. The objects of a [`KmemCache`] are made when they are allocated
//! and dropped when they are freed. Those of a [`ConstructedCache`] are made when their slab is, and
//! stay made: there, locks and lists need not be initialised again and again. Those of an
//! [`RcuCache`] may be looked at by readers who hold nothing but the RCU read lock, while they are
//! freed and become other ones.
//!
//! # Context
//!
//! Creating and shrinking a cache sleeps. Allocating may sleep unless the flags say otherwise.
//! Freeing never sleeps, nor does dropping a cache: it is destroyed by a worker. With `CONFIG_PREEMPT_RT` objects
//! are freed where [memory may be had](crate::sys::context::can_allocate).
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
pub mod object;
mod self_counting;
pub mod typesafe_by_rcu;
pub mod usercopy;

pub use self::{
    args::Options,
    bulk::Batch,
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

/// A site of a slab cache: short for the bounds on the [`Tag`].
///
/// # Examples
///
/// ```
/// use kalloc::{
///     slab::{Options, SlabSite},
///     KmemCache,
/// };
///
/// /// A cache whose objects start at a cache line.
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

/// A slab cache of `S::Object`s, counted at site `S` and named after it.
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
/// // The memory first, so that nothing fails once the session is made.
/// let second = cache.reserve(GFP_KERNEL)?.write(Session { id: 2 });
/// // One that may be kept anywhere, since it shares the cache.
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
/// `ptr` is a live cache for objects of `S::Object`'s layout, which no other `KmemCache` has, and
/// whose objects are freed into it only.
pub struct KmemCache<S: SlabSite> {
    ptr: NonNull<bindings::kmem_cache>,
    /// Where the cache was opened: `S::site()`.
    site: &'static Site,
    /// The site's counters, at hand where the cache is: a loop that uses the cache loads them once.
    percpu: PerCpuPtr,
    /// What of an object may be copied to and from user space.
    usercopy: Range<u32>,
    _site: PhantomData<fn() -> S>,
}

// SAFETY: The cache does its own locking.
unsafe impl<S: SlabSite> Send for KmemCache<S> {}
// SAFETY: As above.
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
    /// - [`EAGAIN`] where sleeping is known not to be allowed.
    /// - [`EINVAL`] if the site is not [registered](crate::register), or an option out of range; if the
    ///   site is named `.` or `..`, which sysfs cannot have; if an object does not fit into the largest
    ///   slab with all that this kernel keeps with it, for KASAN or `slab_debug=` perhaps.
    /// - [`EEXIST`] if the site has a cache already, or the kernel has one of that name.
    /// - [`ENOMEM`] if there is no memory, or another reason the kernel gives.
    pub fn new(options: Options) -> Result<Self> {
        Self::of(options.spec::<S::Object>()?)
    }

    /// As [`new`](Self::new); of an object, `field` may be copied to and from user space, and nothing
    /// else: see [`field`].
    ///
    /// # Context
    ///
    /// As for `new`.
    ///
    /// # Errors
    ///
    /// As for `new`; and [`EINVAL`] if the offset of `field`, which [`field!`](crate::field) computes, is
    /// not that of a field within the object.
    pub fn with_usercopy<F: AsBytes>(options: Options, field: Field<S::Object, F>) -> Result<Self> {
        Self::of(Spec {
            usercopy: field.range()?,
            ..options.spec::<S::Object>()?
        })
    }

    /// Creates the cache; `spec` is for `S::Object`, and has no constructor.
    fn of(spec: Spec) -> Result<Self> {
        let usercopy = spec.usercopy.clone();
        let site = S::site();
        // SAFETY: A spec made of options is as required; there is no constructor.
        let ptr = unsafe { create(site, spec)? };
        // INVARIANT: The cache is new, for that layout, and the site has no other. `Owned`s and
        // `Slot`s free into the cache that they hold.
        Ok(KmemCache {
            ptr,
            site,
            percpu: site.counters(),
            usercopy,
            _site: PhantomData,
        })
    }

    /// Takes an object's memory out of the cache, to be [written](Slot::write).
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    #[inline(always)]
    pub fn reserve(&self, gfp: impl Into<Gfp>) -> Result<Slot<S, &Self>, AllocError> {
        Slot::reserve(self, gfp.into())
    }

    /// As [`reserve`](Self::reserve); the slot, and the object made of it, share the cache.
    ///
    /// # Context
    ///
    /// As for `reserve`.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    #[inline]
    pub fn reserve_arc(
        self: &Arc<Self>,
        gfp: impl Into<Gfp>,
    ) -> Result<Slot<S, Arc<Self>>, AllocError> {
        Slot::reserve(self.clone(), gfp.into())
    }

    /// Allocates an object and moves `value` into it. The value has at most 2 KiB, as for
    /// [`Slot::write`].
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with `value` in it, if there is no memory.
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
    /// [`AllocError`] if there is no memory.
    #[inline]
    pub fn zeroed(&self, gfp: impl Into<Gfp>) -> Result<Object<'_, S>, AllocError>
    where
        S::Object: Zeroable,
    {
        let slot = self.reserve(gfp.into() | Gfp::ZERO)?;
        // SAFETY: All zeroes is a valid `Zeroable`.
        Ok(unsafe { slot.assume_init() })
    }

    /// Counts an object, at `COUNTER`, one of [`counter`](crate::accounting::stats::counter)'s.
    ///
    /// # Safety
    ///
    /// To be called once for each object that is allocated, and once for each that is freed.
    #[inline(always)]
    unsafe fn count<const COUNTER: usize>(&self) {
        if S::PERCPU {
            // SAFETY: By the requirement of this function.
            unsafe { S::count_object::<COUNTER>() };
        } else {
            self.percpu.count::<COUNTER>();
        }
    }

    /// Gives slabs without objects back to the page allocator, and those that each CPU keeps at
    /// hand.
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// [`EAGAIN`] where sleeping is known not to be allowed.
    pub fn shrink(&self) -> Result {
        // SAFETY: By the invariants.
        unsafe { shrink(self.ptr) }
    }
}

impl<S: SlabSite> Drop for KmemCache<S> {
    /// Gives the cache up. It is destroyed a little later, in a context that may sleep, but before
    /// the site gets another one, and before its module is gone.
    fn drop(&mut self) {
        let leaked = self.site.totals().live();
        if leaked > 0 {
            // Objects were forgotten, which is safe: they stay valid, and so must the cache. Its
            // name stays taken.
            pr_warn!(
                "cache {}: not destroyed, {leaked} objects were leaked\n",
                self.site.name()
            );
            return;
        }
        // No object is left: each holds the cache, and none was forgotten.
        registry::orphan_cache(self.site);
    }
}

/// Creates the slab cache of a site. It is to be given up by [`registry::orphan_cache`].
///
/// # Safety
///
/// As for [`CacheSlot::open`](crate::sys::kmem_cache::CacheSlot::open).
///
/// # Errors
///
/// As [`KmemCache::new`], but for the options.
unsafe fn create(site: &'static Site, spec: Spec) -> Result<NonNull<bindings::kmem_cache>> {
    if context::known_atomic() {
        return Err(EAGAIN);
    }
    // SAFETY: By the requirements of this function.
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
/// As [`KmemCache::shrink`].
unsafe fn shrink(cache: NonNull<bindings::kmem_cache>) -> Result {
    if context::known_atomic() {
        return Err(EAGAIN);
    }
    // SAFETY: By the requirement of this function. The result says whether any slab is left.
    unsafe { bindings::kmem_cache_shrink(cache.as_ptr()) };
    Ok(())
}

/// A value that no memory was there for.
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
/// // Without memory, the value is not lost.
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
