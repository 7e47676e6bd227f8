// SPDX-License-Identifier: GPL-2.0-only

//! Slab caches.
//!
//! A [`KmemCache`] allocates objects of one type. A [`KmemCacheBox`] owns an object, and keeps the
//! cache alive until the object is freed.
//!
//! # Context
//!
//! Creating a cache, and dropping the last reference to it, may sleep. Allocating may sleep unless
//! the flags forbid it. Freeing an object never sleeps by itself.
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h)

use crate::{
    alloc::{
        AllocError,
        Flags, //
    },
    bindings,
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};
use core::{
    marker::PhantomData,
    mem::{
        align_of,
        size_of, //
    },
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::{
        self,
        NonNull, //
    }, //
};

/// A cache of objects of type `T` (`struct kmem_cache`).
///
/// # Invariants
///
/// `cache` is a valid cache whose objects have the size and the alignment of `T`. Each of its
/// objects belongs to a [`KmemCacheBox`] that holds a reference to this value.
///
/// # Examples
///
/// ```
/// use kernel::{
///     alloc::AllocError,
///     kmem_cache::{
///         KmemCache,
///         KmemCacheBox, //
///     }, //
/// };
///
/// let cache = KmemCache::<[u64; 5]>::new(c"doctest_words", GFP_KERNEL)?;
/// let mut first = KmemCache::alloc(&cache, [1; 5], GFP_KERNEL)?;
/// first[4] = 2;
/// assert_eq!(first.iter().sum::<u64>(), 6);
///
/// // The object keeps the cache.
/// drop(cache);
/// assert_eq!(first[4], 2);
/// # Ok::<(), Error>(())
/// ```
pub struct KmemCache<T> {
    cache: NonNull<bindings::kmem_cache>,
    _objects: PhantomData<fn() -> T>,
}

// SAFETY: The functions of the allocator synchronize all accesses to a cache. The cache does not
// own its objects.
unsafe impl<T> Send for KmemCache<T> {}

// SAFETY: As for `Send`.
unsafe impl<T> Sync for KmemCache<T> {}

impl<T> KmemCache<T> {
    /// Creates a cache.
    ///
    /// The allocator copies the name. It may share the memory of caches of similar objects, in
    /// which case only the name of the first one is in `/proc/slabinfo`.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if the name is empty or has a space; [`ENOMEM`] if there is no memory.
    pub fn new(name: &CStr, flags: Flags) -> Result<Arc<Self>> {
        const {
            assert!(
                size_of::<T>() != 0,
                "a slab cache has objects of at least one byte"
            );
            assert!(
                size_of::<T>() <= 2 * PAGE_SIZE,
                "larger objects come from the page allocator"
            );
        }
        if name.is_empty() || name.to_bytes().contains(&b' ') {
            return Err(EINVAL);
        }
        let mut args = bindings::kmem_cache_args {
            // CAST: The alignment is at most the size, which is limited above.
            align: align_of::<T>() as u32,
            ..Default::default()
        };
        // SAFETY: The name is a NUL-terminated string, which the function copies. The size is not
        // 0, and the alignment is a power of two.
        let cache = unsafe {
            // CAST: The size is limited above.
            bindings::__kmem_cache_create_args(
                name.as_char_ptr(),
                size_of::<T>() as u32,
                &mut args,
                0,
            )
        };
        let cache = NonNull::new(cache).ok_or(ENOMEM)?;
        // INVARIANT: The cache was created for `T`, and has no objects. If there is no memory for
        // the value, it is dropped, and with it the cache.
        let owner = KmemCache {
            cache,
            _objects: PhantomData,
        };
        Ok(Arc::new(owner, flags)?)
    }

    /// Allocates an object.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory; the value is dropped.
    pub fn alloc(cache: &Arc<Self>, value: T, flags: Flags) -> Result<KmemCacheBox<T>, AllocError> {
        // SAFETY: The cache is valid by the type's invariants.
        let object = unsafe { bindings::kmem_cache_alloc(cache.cache.as_ptr(), flags.as_raw()) };
        let object = NonNull::new(object.cast::<T>()).ok_or(AllocError)?;
        // SAFETY: The object has the size and the alignment of `T` by the type's invariants, and
        // belongs to the caller.
        unsafe { object.write(value) };
        // INVARIANT: The object was just allocated and initialized.
        Ok(KmemCacheBox {
            object,
            cache: cache.clone(),
        })
    }
}

impl<T> Drop for KmemCache<T> {
    fn drop(&mut self) {
        // SAFETY: The cache is valid by the type's invariants. Each object holds a reference to
        // this value, thus there is none.
        unsafe { bindings::kmem_cache_destroy(self.cache.as_ptr()) };
    }
}

/// The owner of an object of a [`KmemCache`].
///
/// # Invariants
///
/// `object` is an initialized object of `cache`, which only this value frees.
pub struct KmemCacheBox<T> {
    object: NonNull<T>,
    cache: Arc<KmemCache<T>>,
}

// SAFETY: The value owns a `T`, and a reference to a cache that any thread may use.
unsafe impl<T: Send> Send for KmemCacheBox<T> {}

// SAFETY: A shared reference gives access to a shared `T` only.
unsafe impl<T: Sync> Sync for KmemCacheBox<T> {}

impl<T> Deref for KmemCacheBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: The object is initialized by the type's invariants.
        unsafe { self.object.as_ref() }
    }
}

impl<T> DerefMut for KmemCacheBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: The object is initialized by the type's invariants, and only this value has it.
        unsafe { self.object.as_mut() }
    }
}

impl<T> Drop for KmemCacheBox<T> {
    fn drop(&mut self) {
        // SAFETY: The object is initialized by the type's invariants, and is not used again.
        unsafe { ptr::drop_in_place(self.object.as_ptr()) };
        // SAFETY: The object is one of this cache by the type's invariants.
        unsafe {
            bindings::kmem_cache_free(self.cache.cache.as_ptr(), self.object.as_ptr().cast())
        };
    }
}
