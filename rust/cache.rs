// SPDX-License-Identifier: GPL-2.0

//! Slab caches: pools of objects of one type.
//!
//! | C | here |
//! |---|---|
//! | `kmem_cache_create` | [`KmemCache::new`], [`Options`] |
//! | `kmem_cache_alloc`, `_zalloc` | [`KmemCache::reserve`], [`KmemCache::alloc`], [`KmemCache::zeroed`] |
//! | `kmem_cache_free` | drop of an [`Object`] |
//! | `kmem_cache_alloc_bulk`, `_free_bulk` | [`Batch`](batch::Batch) |
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
//! # Context
//!
//! Creating, shrinking and destroying a cache sleeps. Allocating may sleep unless the flags say
//! otherwise. Freeing never sleeps.
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h)

use crate::{
    bindings,
    gfp::Gfp,
    site::{
        self,
        Family,
        Shape,
        Site,
        Tag, //
    },
    slab,
    stats::Totals, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull, //
};
use kernel::{
    alloc::AllocError,
    error::from_err_ptr,
    prelude::*,
    str::CString,
    sync::Arc, //
};

pub mod batch;

/// The family of [`KmemCache`].
pub struct Slab;

impl Family for Slab {
    const NAME: &'static str = "cache";

    fn shape(site: &Site, live: &Totals) -> Shape {
        Shape::packed(site.geometry(), live.live())
    }
}

/// How a cache is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    flags: bindings::slab_flags_t,
}

impl Options {
    /// The defaults: aligned as the type, nothing else.
    pub const fn new() -> Self {
        Options { flags: 0 }
    }

    /// Objects start at a cache line (`SLAB_HWCACHE_ALIGN`).
    pub const fn hwcache_align(self) -> Self {
        self.with(bindings::SLAB_HWCACHE_ALIGN)
    }

    /// Objects are charged to the allocating task's memory cgroup (`SLAB_ACCOUNT`).
    pub const fn account(self) -> Self {
        self.with(bindings::SLAB_ACCOUNT)
    }

    /// Slabs are grouped and counted as reclaimable (`SLAB_RECLAIM_ACCOUNT`).
    pub const fn reclaimable(self) -> Self {
        self.with(bindings::SLAB_RECLAIM_ACCOUNT)
    }

    const fn with(self, flag: bindings::slab_flags_t) -> Self {
        Options {
            flags: self.flags | flag,
        }
    }
}

/// A slab cache of `S::Object`s, counted at site `S` and named after it.
///
/// # Invariants
///
/// `ptr` is a live cache for objects of `S::Object`'s layout, which no other `KmemCache` has, and
/// whose objects are freed into it only.
pub struct KmemCache<S: Tag<Family = Slab, Object: Sized>> {
    ptr: NonNull<bindings::kmem_cache>,
    /// What the site counted as live before this cache was made.
    live_before: u64,
    _site: PhantomData<fn() -> S>,
}

// SAFETY: The cache does its own locking.
unsafe impl<S: Tag<Family = Slab, Object: Sized>> Send for KmemCache<S> {}
// SAFETY: As above.
unsafe impl<S: Tag<Family = Slab, Object: Sized>> Sync for KmemCache<S> {}

impl<S: Tag<Family = Slab, Object: Sized>> KmemCache<S> {
    /// Creates the cache of site `S`.
    ///
    /// # Context
    ///
    /// Process context; sleeps. So does dropping it.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if the site is not [registered](crate::register).
    /// - [`EEXIST`] if the site has a cache already.
    /// - [`ENOMEM`] if there is no memory, or another reason the kernel gives.
    pub fn new(options: Options) -> Result<Self> {
        const {
            assert!(S::UNIT > 0, "a slab cache cannot have objects of no size");
            assert!(
                S::UNIT <= crate::kmalloc::MAX_SIZE,
                "a slab cache cannot have objects above KMALLOC_MAX_SIZE"
            );
        }
        let site = S::site();
        if !site.is_registered() {
            return Err(EINVAL);
        }
        if !site.claim() {
            return Err(EEXIST);
        }
        let live_before = site.totals().live();
        let ptr = create::<S>(options).inspect_err(|_| site.unclaim())?;
        // SAFETY: Just created.
        site.set_geometry(unsafe { slab::geometry(ptr.as_ptr()) });
        // INVARIANT: The cache is new, for that layout. Its claim keeps other caches from the
        // site, and `Object`s free into the cache they borrow.
        Ok(KmemCache {
            ptr,
            live_before,
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
    /// As for `reserve`. Whoever drops the last of the cache and its objects destroys the cache,
    /// and so sleeps.
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

    /// Allocates an object and moves `value` into it.
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

    /// Gives slabs without objects back to the page allocator, and those that each CPU keeps at
    /// hand.
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    pub fn shrink(&self) {
        // SAFETY: By the invariants, the cache is live. The result says whether any slab is left.
        unsafe { bindings::kmem_cache_shrink(self.ptr.as_ptr()) };
    }
}

/// Creates the C cache for the objects of `S`.
fn create<S: Tag<Family = Slab, Object: Sized>>(
    options: Options,
) -> Result<NonNull<bindings::kmem_cache>> {
    create_raw(
        S::site().name(),
        // CAST: Checked by the caller to be at most `KMALLOC_MAX_SIZE`.
        S::UNIT as u32,
        align_of::<S::Object>() as u32,
        options.flags,
    )
}

fn create_raw(
    name: &str,
    size: u32,
    align: u32,
    flags: bindings::slab_flags_t,
) -> Result<NonNull<bindings::kmem_cache>> {
    // The kernel keeps a copy of the name.
    let name = CString::try_from_fmt(fmt!("{name}"))?;
    let mut args = bindings::kmem_cache_args {
        align,
        ..pin_init::zeroed()
    };
    // SAFETY: The name is a C string, and a site's: valid for a cache. The size is not 0 and at
    // most `KMALLOC_MAX_SIZE`, the alignment a power of two.
    let ptr = from_err_ptr(unsafe {
        bindings::__kmem_cache_create_args(
            name.as_char_ptr(),
            size,
            &mut args,
            flags | bindings::SLAB_NO_MERGE,
        )
    })?;
    NonNull::new(ptr).ok_or(ENOMEM)
}

impl<S: Tag<Family = Slab, Object: Sized>> Drop for KmemCache<S> {
    fn drop(&mut self) {
        let site = S::site();
        let leaked = site.totals().live().saturating_sub(self.live_before);
        if leaked > 0 {
            // Objects were forgotten, which is safe: they stay valid, and so must the cache. Its
            // name stays taken.
            pr_warn!(
                "cache {}: not destroyed, {leaked} objects were leaked\n",
                site.name()
            );
            return;
        }
        // SAFETY: By the invariants, the cache is live and ours. No object is left: each borrows
        // the cache, and none was forgotten.
        unsafe { bindings::kmem_cache_destroy(self.ptr.as_ptr()) };
        site.unclaim();
    }
}

/// A value that no memory was there for.
#[derive(Debug)]
pub struct Rejected<T>(pub T);

impl<T> From<Rejected<T>> for Error {
    fn from(_: Rejected<T>) -> Error {
        ENOMEM
    }
}

/// How an object holds on to its cache: by borrowing or by sharing it.
///
/// # Safety
///
/// `deref` must return the same cache every time, and the cache must be live as long as the holder
/// is.
pub unsafe trait Holder<S: Tag<Family = Slab, Object: Sized>>:
    Deref<Target = KmemCache<S>>
{
}

// SAFETY: A reference is to one thing, which is live.
unsafe impl<S: Tag<Family = Slab, Object: Sized>> Holder<S> for &KmemCache<S> {}
// SAFETY: As above.
unsafe impl<S: Tag<Family = Slab, Object: Sized>> Holder<S> for Arc<KmemCache<S>> {}

/// An owned object that borrows its cache.
pub type Object<'c, S> = Owned<S, &'c KmemCache<S>>;

/// An owned object that shares its cache.
pub type ArcObject<S> = Owned<S, Arc<KmemCache<S>>>;

/// Memory for an object that is not initialised. Given back to the cache on drop.
///
/// # Invariants
///
/// `ptr` is an allocated object of `cache` that nothing else owns.
pub struct Slot<S: Tag<Family = Slab, Object: Sized>, C: Holder<S>> {
    ptr: NonNull<S::Object>,
    cache: C,
}

// SAFETY: The memory belongs to no thread, and holds no object.
unsafe impl<S: Tag<Family = Slab, Object: Sized>, C: Holder<S> + Send> Send for Slot<S, C> {}
// SAFETY: A shared reference gives access to nothing.
unsafe impl<S: Tag<Family = Slab, Object: Sized>, C: Holder<S> + Sync> Sync for Slot<S, C> {}

impl<S: Tag<Family = Slab, Object: Sized>, C: Holder<S>> Slot<S, C> {
    #[inline(always)]
    fn reserve(cache: C, gfp: Gfp) -> Result<Self, AllocError> {
        let gfp = gfp.without_zone().as_raw();
        // SAFETY: By the invariants, the cache is live.
        let ptr = unsafe { bindings::kmem_cache_alloc_noprof(cache.ptr.as_ptr(), gfp) };
        let Some(ptr) = NonNull::new(ptr.cast()) else {
            site::count_failure::<S>();
            return Err(AllocError);
        };
        site::count_units_alloc::<S>(1);
        // INVARIANT: A new object of this cache.
        Ok(Slot { ptr, cache })
    }

    /// Moves `value` in.
    #[inline(always)]
    pub fn write(self, value: S::Object) -> Owned<S, C> {
        // SAFETY: By the invariants, there is room for it.
        unsafe { self.ptr.write(value) };
        // SAFETY: Just initialised.
        unsafe { self.assume_init() }
    }

    /// Initialises the object in place.
    ///
    /// # Errors
    ///
    /// The initialiser's; the memory is given back.
    pub fn init<E>(self, init: impl Init<S::Object, E>) -> Result<Owned<S, C>, E> {
        // SAFETY: By the invariants, there is room for it; on error it is not used.
        unsafe { pin_init::raw_try_init(self.ptr.as_ptr(), init)? };
        // SAFETY: Just initialised.
        Ok(unsafe { self.assume_init() })
    }

    /// Initialises the object in place, where it will stay.
    ///
    /// # Errors
    ///
    /// The initialiser's; the memory is given back.
    pub fn pin_init<E>(self, init: impl PinInit<S::Object, E>) -> Result<Pin<Owned<S, C>>, E> {
        // SAFETY: By the invariants, there is room for it; on error it is not used. It does not
        // move before it is pinned below.
        unsafe { pin_init::raw_try_init(self.ptr.as_ptr(), init)? };
        // SAFETY: Just initialised. An `Owned` never moves what it owns.
        Ok(unsafe { Pin::new_unchecked(self.assume_init()) })
    }

    /// Takes the object as initialised.
    ///
    /// # Safety
    ///
    /// The memory must hold a valid object.
    #[inline(always)]
    unsafe fn assume_init(self) -> Owned<S, C> {
        // INVARIANT: Valid by the requirement of this function.
        Owned {
            slot: ManuallyDrop::new(self),
            _owned: PhantomData,
        }
    }
}

impl<S: Tag<Family = Slab, Object: Sized>, C: Holder<S>> Drop for Slot<S, C> {
    #[inline(always)]
    fn drop(&mut self) {
        site::count_units_free::<S>(1);
        // SAFETY: By the invariants, the object is this cache's, and ours.
        unsafe { bindings::kmem_cache_free(self.cache.ptr.as_ptr(), self.ptr.as_ptr().cast()) };
    }
}

/// An owned object of a slab cache: [`Object`] or [`ArcObject`].
///
/// # Invariants
///
/// The slot's memory holds a valid object.
pub struct Owned<S: Tag<Family = Slab, Object: Sized>, C: Holder<S>> {
    slot: ManuallyDrop<Slot<S, C>>,
    _owned: PhantomData<S::Object>,
}

impl<S: Tag<Family = Slab, Object: Sized>, C: Holder<S>> Owned<S, C> {
    /// Moves the value out and gives the memory back.
    pub fn into_inner(self) -> S::Object {
        self.take().1
    }

    /// Separates the value from its memory.
    pub fn take(self) -> (Slot<S, C>, S::Object) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither used again nor dropped, so that slot and value are moved out.
        // By the invariants, the value is valid.
        unsafe {
            let slot = ManuallyDrop::take(&mut this.slot);
            let value = slot.ptr.read();
            (slot, value)
        }
    }
}

impl<S: Tag<Family = Slab, Object: Sized>, C: Holder<S>> Deref for Owned<S, C> {
    type Target = S::Object;

    #[inline]
    fn deref(&self) -> &S::Object {
        // SAFETY: By the invariants.
        unsafe { self.slot.ptr.as_ref() }
    }
}

impl<S: Tag<Family = Slab, Object: Sized>, C: Holder<S>> DerefMut for Owned<S, C> {
    #[inline]
    fn deref_mut(&mut self) -> &mut S::Object {
        // SAFETY: By the invariants; `self` is borrowed mutably.
        unsafe { self.slot.ptr.as_mut() }
    }
}

impl<S: Tag<Family = Slab, Object: Sized>, C: Holder<S>> Drop for Owned<S, C> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the invariants, the object is valid; neither it nor the slot is used again.
        unsafe {
            self.slot.ptr.drop_in_place();
            ManuallyDrop::drop(&mut self.slot);
        }
    }
}
