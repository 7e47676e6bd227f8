// SPDX-License-Identifier: GPL-2.0

//! Caches whose objects stay constructed while they are free.
//!
//! Some of what an object consists of is the same each time it is allocated: locks that nobody holds,
//! lists with nothing in them. A *constructor* makes it once, for all objects of a slab, when the
//! slab comes from the page allocator. An object is then allocated as it is, and whoever frees it
//! leaves it as good as new:
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
//! # What makes this sound
//!
//! C calls a constructor, and no destructor: a slab goes back to the page allocator with all that was
//! constructed in it. So an object's type must not need to be dropped, which is checked when
//! compiling. From then on, an object that is freed is a value that is kept, and one that is
//! allocated is a value that is handed out again, as it was; or a new one. That it is valid is all
//! that can be relied upon: it was [reset](Reset::reset), unless it was leaked.
//!
//! The allocator keeps its hands off a constructed object while it is free. Its own pointer is behind
//! the object; it neither poisons the object nor zeroes it, whatever the kernel was told
//! (`slab_debug`, `init_on_alloc`, `init_on_free`). `__GFP_ZERO` would zero it, and is stripped.
//! KASAN and KFENCE keep their notes elsewhere.
//!
//! The constructor's code is the site's module's. A cache goes with its module, and is never
//! allocated from after that.
//!
//! # Context
//!
//! As for other [caches](crate::slab). A constructor may be called by any allocation, and so must not
//! sleep.
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

/// What can be constructed ahead of time, for nobody in particular. It must not need to be dropped.
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
    /// Makes a value. Called when the allocator wants it, in whatever context that is.
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

/// What can be made as good as new, to be used again.
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
///         // What nobody looks at beyond the end can stay.
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
    /// Does so. Called when an object is freed, in whatever context that is.
    fn reset(self: Pin<&mut Self>);
}

/// A slab cache of `S::Object`s that stay constructed, counted at site `S` and named after it.
///
/// It may be dropped while objects are live: it is destroyed when the last of them has gone.
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
/// // Whichever it is, it is as new.
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
    /// As [`KmemCache::new`](crate::KmemCache::new).
    pub fn new(options: Options) -> Result<Self> {
        const {
            assert!(
                !needs_drop::<S::Object>(),
                "what is constructed with its slab is never dropped"
            )
        };
        // SAFETY: The spec is that of the options. The constructor is that of the object, which does
        // not need to be dropped, and is `Send`.
        Ok(ConstructedCache(unsafe {
            SelfCountingCache::new(options.spec::<S::Object>()?, construct::<S::Object>)?
        }))
    }

    /// Allocates an object, as it was constructed or reset.
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    #[inline]
    pub fn alloc(&self, gfp: impl Into<Gfp>) -> Result<Constructed<S>, AllocError> {
        // INVARIANT: Constructed with its slab. Whoever had it since gave it back as a value.
        Ok(Constructed {
            memory: self.0.take(gfp.into())?,
            _owned: PhantomData,
        })
    }

    /// Gives slabs without objects back to the page allocator.
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// [`EAGAIN`] where sleeping is known not to be allowed.
    pub fn shrink(&self) -> Result {
        self.0.shrink()
    }
}

/// An owned object of a [`ConstructedCache`]. Reset and given back on drop.
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
/// // It may outlive the handle of its cache.
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
    /// The object, to be changed where it is.
    #[inline]
    pub fn as_mut(&mut self) -> Pin<&mut S::Object> {
        // SAFETY: By the invariants; `self` is borrowed mutably.
        unsafe { Pin::new_unchecked(self.memory.as_ptr().as_mut()) }
    }
}

impl<S: Tag<Family = family::SlabCache, Object: Reset>> Deref for Constructed<S> {
    type Target = S::Object;

    #[inline]
    fn deref(&self) -> &S::Object {
        // SAFETY: By the invariants.
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

/// Makes a `T` for the allocator.
///
/// # Safety
///
/// `at` must be memory for a `T` that nobody uses.
unsafe extern "C" fn construct<T: Construct>(at: *mut c_void) {
    // SAFETY: By the requirement of this function. It stays there, and does not need to be dropped.
    unsafe { crate::sys::in_place::raw_init(at.cast::<T>(), T::construct()) };
}
