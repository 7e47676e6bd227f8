// SPDX-License-Identifier: GPL-2.0-only

//! Objects that C code holds as one pointer: private data, entries of an XArray, or the argument of
//! two callbacks.
//!
//! The pointer is the address of the object. An object of a [`ConstructedCache`] or an [`RcuCache`]
//! needs no other information. An [`ArcObject`] holds its cache as well; the site stores the address
//! of that cache's `Arc`, because a site has one cache at a time. An [`Object`] is taken back
//! through its cache.
//!
//! [`ConstructedCache`]: super::ConstructedCache
//! [`RcuCache`]: super::RcuCache

use super::{
    ArcObject,
    Constructed,
    KmemCache,
    Object,
    Owned,
    RcuRef,
    Reset,
    SlabSite, //
};
use crate::{
    accounting::{
        family,
        site::Tag, //
    },
    slab::typesafe_by_rcu::RcuSite,
    sys::foreign, //
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    ffi::c_void,
    prelude::*,
    sync::Arc,
    types::ForeignOwnable, //
};

/// Returns the least alignment of an object of type `T`: that of the type, and that of a pointer,
/// to which each slab cache aligns its objects.
const fn object_align<T>() -> usize {
    // The larger of two powers of two.
    let (own, least) = (align_of::<T>(), align_of::<usize>());
    if own > least {
        own
    } else {
        least
    }
}

impl<S: SlabSite> Owned<S, Arc<KmemCache<S>>> {
    /// Returns the address of the object, which keeps its share of the cache.
    ///
    /// Without a later [`from_raw`](Self::from_raw), object and cache are leaked.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::{
    ///     slab::{ArcObject, Options},
    ///     KmemCache,
    /// };
    /// use kernel::sync::Arc;
    ///
    /// kalloc::sites! {
    ///     Inodes: cache(u64), "doc_into_raw";
    /// }
    ///
    /// let cache = Arc::new(KmemCache::<Inodes>::new(Options::new())?, GFP_KERNEL)?;
    /// let inode = cache.reserve_arc(GFP_KERNEL)?.write(7);
    /// let ptr = ArcObject::into_raw(inode);
    /// drop(cache);
    /// // SAFETY: The pointer comes from `into_raw`, and is used once.
    /// let inode = unsafe { ArcObject::<Inodes>::from_raw(ptr) };
    /// assert_eq!(*inode, 7);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn into_raw(self) -> *mut S::Object {
        let (ptr, cache) = self.into_parts();
        // All pointers of the site have the same cache, and therefore the same `Arc`: see
        // `CacheSlot::share`.
        S::site()
            .cache()
            .share(Arc::into_raw(cache).cast_mut().cast());
        ptr.as_ptr()
    }

    /// Creates the owner from the address that [`into_raw`](Self::into_raw) returned.
    ///
    /// # Safety
    ///
    /// - `ptr` must come from `into_raw` of an object of this site.
    /// - The caller must call this at most once for each call of `into_raw`.
    pub unsafe fn from_raw(ptr: *mut S::Object) -> Self {
        let cache = S::site().cache().shared().cast::<KmemCache<S>>();
        // SAFETY: `into_raw` stored the address of the cache's `Arc`, whose share the object kept.
        // The site has no other cache as long as the object exists, so that the address is still
        // that of this `Arc`.
        let cache = unsafe { Arc::from_raw(cache.cast_const()) };
        // SAFETY: The caller guarantees a valid object of the site's cache, which is not NULL.
        unsafe { Owned::from_parts(NonNull::new_unchecked(ptr), cache) }
    }
}

impl<'c, S: SlabSite> Owned<S, &'c KmemCache<S>> {
    /// Returns the address of the object, to be taken back by [`KmemCache::from_raw`].
    ///
    /// An object that is not taken back is leaked, and its cache is then never destroyed.
    pub fn into_raw(self) -> *mut S::Object {
        self.into_parts().0.as_ptr()
    }
}

impl<S: SlabSite> KmemCache<S> {
    /// Creates the owner of an object from the address that [`into_raw`](Owned::into_raw) returned.
    ///
    /// # Safety
    ///
    /// - `ptr` must come from `into_raw` of an object of this cache.
    /// - The caller must call this at most once for each call of `into_raw`.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::{slab::Options, KmemCache};
    ///
    /// kalloc::sites! {
    ///     Nodes: cache(u64), "doc_from_raw";
    /// }
    ///
    /// let cache = KmemCache::<Nodes>::new(Options::new())?;
    /// let ptr = cache.alloc(7, GFP_KERNEL)?.into_raw();
    /// // SAFETY: The pointer comes from `into_raw`, and is used once.
    /// let node = unsafe { cache.from_raw(ptr) };
    /// assert_eq!(*node, 7);
    /// # Ok::<(), Error>(())
    /// ```
    pub unsafe fn from_raw(&self, ptr: *mut S::Object) -> Object<'_, S> {
        // SAFETY: The caller guarantees a valid object of this cache, which is not NULL.
        unsafe { Owned::from_parts(NonNull::new_unchecked(ptr), self) }
    }
}

// SAFETY: The pointer is that of an object, which is not NULL and has this alignment.
unsafe impl<S: SlabSite> ForeignOwnable for ArcObject<S> {
    const FOREIGN_ALIGN: usize = object_align::<S::Object>();

    type Borrowed<'a>
        = &'a S::Object
    where
        Self: 'a;
    type BorrowedMut<'a>
        = &'a mut S::Object
    where
        Self: 'a;

    fn into_foreign(self) -> *mut c_void {
        self.into_raw().cast()
    }

    unsafe fn from_foreign(ptr: *mut c_void) -> Self {
        // SAFETY: The caller guarantees a pointer from `into_foreign`, which is used once.
        unsafe { Self::from_raw(ptr.cast()) }
    }

    unsafe fn borrow<'a>(ptr: *mut c_void) -> &'a S::Object
    where
        Self: 'a,
    {
        // SAFETY: The caller guarantees a pointer from `into_foreign`, whose object is valid and
        // only borrowed as shared for `'a`.
        unsafe { &*ptr.cast() }
    }

    unsafe fn borrow_mut<'a>(ptr: *mut c_void) -> &'a mut S::Object
    where
        Self: 'a,
    {
        // SAFETY: The caller guarantees a pointer from `into_foreign`, whose object is valid and
        // not borrowed otherwise for `'a`.
        unsafe { &mut *ptr.cast() }
    }
}

// SAFETY: The pointer is that of an object, which is not NULL and has this alignment.
unsafe impl<S: SlabSite> ForeignOwnable for Pin<ArcObject<S>> {
    const FOREIGN_ALIGN: usize = object_align::<S::Object>();

    foreign::borrow_as_pinned!(S::Object);

    fn into_foreign(self) -> *mut c_void {
        // SAFETY: The object stays where it is, and is only taken back as pinned.
        unsafe { Pin::into_inner_unchecked(self) }.into_raw().cast()
    }

    unsafe fn from_foreign(ptr: *mut c_void) -> Self {
        // SAFETY: The caller guarantees a pointer from `into_foreign`, which is used once. The
        // object was pinned.
        unsafe { Pin::new_unchecked(ArcObject::from_raw(ptr.cast())) }
    }
}

impl<S: Tag<Family = family::SlabCache, Object: Reset>> Constructed<S> {
    /// Returns the address of the object, without resetting or freeing it.
    ///
    /// Without a later [`from_raw`](Self::from_raw), the object is leaked, and its cache is then
    /// never destroyed.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::slab::{Construct, Constructed, ConstructedCache, Options, Reset};
    ///
    /// struct Inode(u64);
    ///
    /// impl Construct for Inode {
    ///     fn construct() -> impl PinInit<Self> {
    ///         Inode(0)
    ///     }
    /// }
    ///
    /// impl Reset for Inode {
    ///     fn reset(mut self: Pin<&mut Self>) {
    ///         self.0 = 0;
    ///     }
    /// }
    ///
    /// kalloc::sites! {
    ///     Inodes: cache(Inode), "doc_constructed_raw";
    /// }
    ///
    /// // In `alloc_inode()`, and in `free_inode()`:
    /// let cache = ConstructedCache::<Inodes>::new(Options::new())?;
    /// let ptr = cache.alloc(GFP_KERNEL)?.into_raw();
    /// // SAFETY: The pointer comes from `into_raw`, and is used once.
    /// let inode = unsafe { Constructed::<Inodes>::from_raw(ptr) };
    /// assert_eq!(inode.0, 0);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn into_raw(self) -> *mut S::Object {
        ManuallyDrop::new(self).memory().as_ptr()
    }
}

// SAFETY: The pointer is that of an object, which is not NULL and has this alignment.
unsafe impl<S: Tag<Family = family::SlabCache, Object: Reset>> ForeignOwnable for Constructed<S> {
    const FOREIGN_ALIGN: usize = object_align::<S::Object>();

    foreign::borrow_as_pinned!(S::Object);

    fn into_foreign(self) -> *mut c_void {
        self.into_raw().cast()
    }

    unsafe fn from_foreign(ptr: *mut c_void) -> Self {
        // SAFETY: The caller guarantees a pointer from `into_foreign`, which is used once.
        unsafe { Self::from_raw(ptr.cast()) }
    }
}

// SAFETY: The pointer is that of an object, which is not NULL and has this alignment.
unsafe impl<S: RcuSite> ForeignOwnable for RcuRef<S> {
    const FOREIGN_ALIGN: usize = object_align::<S::Object>();

    foreign::borrow_as_owner!();

    fn into_foreign(self) -> *mut c_void {
        self.into_raw().as_ptr().cast()
    }

    unsafe fn from_foreign(ptr: *mut c_void) -> Self {
        // SAFETY: The caller guarantees a pointer from `into_foreign`, which is not NULL and kept
        // the reference.
        unsafe { RcuRef::from_raw(NonNull::new_unchecked(ptr.cast())) }
    }
}
