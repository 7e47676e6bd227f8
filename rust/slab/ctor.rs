// SPDX-License-Identifier: GPL-2.0-only

//! Caches whose objects stay initialized while they are free.
//!
//! Some parts of an object are the same at each allocation: unlocked locks, empty lists. A
//! *constructor* initializes them once, for all objects of a slab, when the slab comes from the
//! page allocator. An allocation then returns the object in this state, and its owner restores the
//! state before freeing it:
//!
//! ```
//! use kalloc::slab::{Construct, ConstructedCache, Options, Reset};
//! use kernel::{new_spinlock, sync::SpinLock};
//!
//! #[pin_data]
//! struct Queue {
//!     #[pin]
//!     items: SpinLock<[u32; 8]>,
//!     served: u64,
//! }
//!
//! impl Construct for Queue {
//!     fn construct() -> impl PinInit<Self> {
//!         pin_init!(Queue {
//!             items <- new_spinlock!([0; 8]),
//!             served: 0,
//!         })
//!     }
//! }
//!
//! impl Reset for Queue {
//!     fn reset(self: Pin<&mut Self>) {
//!         *self.items.lock() = [0; 8];
//!     }
//! }
//!
//! kalloc::sites! {
//!     Queues: cache(Queue), "doc_constructed_queue";
//! }
//!
//! let queues = ConstructedCache::<Queues>::new(Options::new())?;
//! let queue = queues.alloc(GFP_KERNEL)?;
//! assert_eq!(*queue.items.lock(), [0; 8]);
//! # Ok::<(), Error>(())
//! ```
//!
//! # Soundness
//!
//! C calls a constructor, but no destructor: a slab returns to the page allocator with the values
//! that were constructed in it. An object's type must therefore not need `Drop`, which is checked
//! at compile time. A freed object is a value that is kept, and an allocated object is such a value
//! or a new one. The only guarantee is that the value is valid: it was [reset](Reset::reset),
//! unless it was leaked.
//!
//! The allocator does not modify a constructed object while it is free. Its free pointer is behind
//! the object. It neither poisons nor zeroes the object, even if the kernel's options request it
//! (`slab_debug`, `init_on_alloc`, `init_on_free`). `__GFP_ZERO` would zero the object, and is
//! removed from the flags. KASAN and KFENCE store their metadata elsewhere.
//!
//! The constructor's code belongs to the site's module. The cache is destroyed before its module is
//! unloaded, and never allocated from after that.
//!
//! # Context
//!
//! The context of other [caches](crate::slab). Any allocation may call a constructor, which
//! therefore must not sleep.
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h)

use crate::{
    accounting::{
        family,
        site::Tag, //
    },
    slab::{
        args::Options,
        self_counting::{
            RawObject, //
            SelfCountingCache,
        }, //
    },
    sys::gfp::Gfp, //
};
use core::{
    marker::PhantomData,
    mem::needs_drop,
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull,
};
use kernel::{
    alloc::AllocError,
    ffi::c_void,
    prelude::*,
    sync::atomic::{
        Atomic,
        AtomicType, //
    }, //
};

/// A type whose values can be constructed in advance, without their owner. It must not need `Drop`.
///
/// # Examples
///
/// ```
/// use kalloc::slab::Construct;
/// use kernel::{new_spinlock, sync::SpinLock};
///
/// #[pin_data]
/// struct Queue {
///     #[pin]
///     items: SpinLock<[u32; 8]>,
///     served: u64,
/// }
///
/// impl Construct for Queue {
///     fn construct() -> impl PinInit<Self> {
///         pin_init!(Queue {
///             items <- new_spinlock!([0; 8]),
///             served: 0,
///         })
///     }
/// }
///
/// let queue = KBox::pin_init(Queue::construct(), GFP_KERNEL)?;
/// assert_eq!((*queue.items.lock(), queue.served), ([0; 8], 0));
/// # Ok::<(), Error>(())
/// ```
pub trait Construct: Send + Sized + 'static {
    /// Returns an initializer of a new value. The allocator calls it in any context.
    fn construct() -> impl PinInit<Self>;
}

impl Construct for () {
    fn construct() -> impl PinInit<Self> {}
}

impl<T: AtomicType + Default + 'static> Construct for Atomic<T> {
    fn construct() -> impl PinInit<Self> {
        Atomic::new(T::default())
    }
}

/// A type whose values can be restored to their initial state, for reuse.
///
/// # Examples
///
/// ```
/// use kalloc::slab::{Construct, Reset};
///
/// struct Buffer {
///     used: usize,
///     bytes: [u8; 64],
/// }
///
/// impl Construct for Buffer {
///     fn construct() -> impl PinInit<Self> {
///         init!(Buffer {
///             used: 0,
///             bytes: [0; 64],
///         })
///     }
/// }
///
/// impl Reset for Buffer {
///     fn reset(mut self: Pin<&mut Self>) {
///         // Bytes beyond the end are never read, and can stay.
///         self.used = 0;
///     }
/// }
///
/// let mut buffer = Buffer {
///     used: 3,
///     bytes: [0; 64],
/// };
/// Pin::new(&mut buffer).reset();
/// assert_eq!(buffer.used, 0);
/// # Ok::<(), Error>(())
/// ```
pub trait Reset: Construct {
    /// Restores the initial state. Called in any context, when an object is freed.
    fn reset(self: Pin<&mut Self>);
}

/// A slab cache (`struct kmem_cache` with a constructor) of `S::Object`s that stay initialized,
/// counted at site `S` and named after it.
///
/// The cache may be dropped while objects are live: it is destroyed after the last object is freed.
///
/// # Examples
///
/// ```
/// use kalloc::slab::{Construct, ConstructedCache, Options, Reset};
///
/// struct Buffer([u8; 64]);
///
/// impl Construct for Buffer {
///     fn construct() -> impl PinInit<Self> {
///         Buffer([0; 64])
///     }
/// }
///
/// impl Reset for Buffer {
///     fn reset(mut self: Pin<&mut Self>) {
///         self.0.fill(0);
///     }
/// }
///
/// kalloc::sites! {
///     Buffers: cache(Buffer), "doc_constructed_cache";
/// }
///
/// let cache = ConstructedCache::<Buffers>::new(Options::new())?;
/// let mut buffer = cache.alloc(GFP_KERNEL)?;
/// buffer.0.fill(7);
/// drop(buffer);
/// // Every object is in its initial state.
/// assert_eq!(cache.alloc(GFP_KERNEL)?.0, [0; 64]);
/// cache.shrink()?;
/// # Ok::<(), Error>(())
/// ```
pub struct ConstructedCache<S: Tag<Family = family::SlabCache, Object: Reset>>(
    SelfCountingCache<S>,
);

impl<S: Tag<Family = family::SlabCache, Object: Reset>> ConstructedCache<S> {
    /// Creates the cache of site `S`.
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// The errors of [`KmemCache::new`](crate::KmemCache::new).
    pub fn new(options: Options) -> Result<Self> {
        const {
            assert!(
                !needs_drop::<S::Object>(),
                "what is constructed with its slab is never dropped"
            )
        };
        // SAFETY: The spec is that of the options. The constructor is that of the object, which is
        // `Send` and does not need `Drop`.
        Ok(ConstructedCache(unsafe {
            SelfCountingCache::new(options.spec::<S::Object>()?, construct::<S::Object>)?
        }))
    }

    /// Allocates an object, in the state in which it was constructed or reset.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails.
    #[inline]
    pub fn alloc(&self, gfp: impl Into<Gfp>) -> Result<Constructed<S>, AllocError> {
        // INVARIANT: The object was constructed with its slab. Its earlier owners gave it back as a
        // valid value.
        Ok(Constructed {
            memory: self.0.take(gfp.into())?,
            _owned: PhantomData,
        })
    }

    /// Gives empty slabs back to the page allocator.
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// [`EAGAIN`] if the caller is known to be in atomic context.
    pub fn shrink(&self) -> Result {
        self.0.shrink()
    }
}

/// An owned object of a [`ConstructedCache`]. It is reset and freed on drop.
///
/// # Examples
///
/// ```
/// use kalloc::slab::{Construct, Constructed, ConstructedCache, Options, Reset};
///
/// struct Count(u64);
///
/// impl Construct for Count {
///     fn construct() -> impl PinInit<Self> {
///         Count(0)
///     }
/// }
///
/// impl Reset for Count {
///     fn reset(mut self: Pin<&mut Self>) {
///         self.0 = 0;
///     }
/// }
///
/// kalloc::sites! {
///     Counts: cache(Count), "doc_constructed";
/// }
///
/// let cache = ConstructedCache::<Counts>::new(Options::new())?;
/// let mut count: Constructed<Counts> = cache.alloc(GFP_KERNEL)?;
/// count.as_mut().0 += 1;
/// // The object may outlive the handle of its cache.
/// drop(cache);
/// assert_eq!(count.0, 1);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The memory holds a valid object, which never moves.
pub struct Constructed<S: Tag<Family = family::SlabCache, Object: Reset>> {
    memory: RawObject<S>,
    _owned: PhantomData<S::Object>,
}

impl<S: Tag<Family = family::SlabCache, Object: Reset>> Constructed<S> {
    /// Creates the owner from the address that [`into_raw`](Self::into_raw) returned.
    ///
    /// # Safety
    ///
    /// - `ptr` must come from `into_raw` of an object of this site.
    /// - The caller must call this at most once for each call of `into_raw`.
    pub unsafe fn from_raw(ptr: *mut S::Object) -> Self {
        // SAFETY: The caller guarantees an allocated object, which is not NULL, and which nothing
        // else owns.
        let memory = unsafe { RawObject::from_raw(NonNull::new_unchecked(ptr)) };
        // INVARIANT: The object was valid when `into_raw` gave it up, and stayed where it was.
        Constructed {
            memory,
            _owned: PhantomData,
        }
    }

    /// Returns the address of the object.
    pub(super) fn memory(&self) -> NonNull<S::Object> {
        self.memory.as_ptr()
    }

    /// Returns the object for changes in place.
    #[inline]
    pub fn as_mut(&mut self) -> Pin<&mut S::Object> {
        // SAFETY: By the type invariants, the memory holds a valid object that never moves. The
        // mutable borrow excludes other accesses.
        unsafe { Pin::new_unchecked(self.memory.as_ptr().as_mut()) }
    }
}

impl<S: Tag<Family = family::SlabCache, Object: Reset>> Deref for Constructed<S> {
    type Target = S::Object;

    #[inline]
    fn deref(&self) -> &S::Object {
        // SAFETY: By the type invariants, the memory holds a valid object, which `self` owns.
        unsafe { self.memory.as_ptr().as_ref() }
    }
}

impl<S: Tag<Family = family::SlabCache, Object: Reset + Unpin>> DerefMut for Constructed<S> {
    #[inline]
    fn deref_mut(&mut self) -> &mut S::Object {
        self.as_mut().get_mut()
    }
}

impl<S: Tag<Family = family::SlabCache, Object: Reset>> Drop for Constructed<S> {
    fn drop(&mut self) {
        self.as_mut().reset();
    }
}

/// Constructs a `T` for the allocator.
///
/// # Safety
///
/// `at` must be memory for a `T` that nothing else uses.
unsafe extern "C" fn construct<T: Construct>(at: *mut c_void) {
    // SAFETY: The caller guarantees memory for a `T`. The value stays there, and does not need
    // `Drop`.
    unsafe { crate::sys::in_place::raw_init(at.cast::<T>(), T::construct()) };
}
