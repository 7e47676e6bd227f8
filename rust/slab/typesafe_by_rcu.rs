// SPDX-License-Identifier: GPL-2.0

//! Caches whose objects may be looked at while they are freed and become other ones
//! (`SLAB_TYPESAFE_BY_RCU`).
//!
//! Readers find objects without a lock, and writers free them without waiting for readers. Memory that
//! is freed is reused at once, while it is warm; but only for objects of the same cache. It goes
//! back to the page allocator when a grace period has ended, so that a reader who holds the RCU read
//! lock can look at an object that it has found, whatever has become of it.
//!
//! What is there to look at at any time is the *key*, which the cache's constructor makes, and which
//! stays as long as the memory is the cache's: it is something that is shared, such as an atomic. The
//! *value* comes and goes. It is there as long as there are references to it, and only those who hold
//! one have access:
//!
//! ```text
//!  RcuCache ── reserve ──> RcuSlot ── write ──> RcuRef ── replace ──> RcuLink     writers
//!                             ▲                   │                      │
//!                             └──── into_slot ────┘ (the last one)     load       readers,
//!                                                 ▲                      ▼        with a
//!                                                 └─────── get ─────── RcuPtr     `Guard`
//! ```
//!
//! [`RcuCache`] has an example.
//!
//! # What makes this sound
//!
//! * A pointer is found in an [`RcuLink`], which owns a reference. So when it was found, the object was
//!   live, and the RCU read lock held: its slab is not given back before the lock is. That is why the
//!   pointer, an [`RcuPtr`], cannot outlive the guard.
//! * The number of references and the key are constructed with the slab, and nobody writes to them as
//!   a whole after that, nor are they dropped. The key is shared between threads, which is what its
//!   type must be fit for ([`Sync`]); that it needs no dropping is checked when compiling.
//! * A reference is taken only if the number is not 0. It becomes 1 when the value has been written,
//!   and whoever takes a reference sees that; it becomes 0 once, and who made it so drops the value.
//!   There is never an exclusive reference to a value, as a reader may take another one at any time.
//! * The allocator keeps its hands off free objects, see [`constructed`](super::constructed). The one
//!   word that it needs is in the value's place, where nothing is while the object is free.
//! * A thread may free an object while it holds a lock in the key, which stays locked and can be
//!   unlocked. The kernel's lock validator would report that, so that on kernels that have it a worker
//!   frees such an object.
//! * `kmem_cache_destroy()` waits for the callbacks that give slabs back (`rcu_barrier()`) before it
//!   frees the cache itself.
//!
//! # Context
//!
//! As for other [caches](crate::slab). The last reference to a value may go with a reader, so that
//! dropping a value must not sleep.
//!
//! # Chains
//!
//! A value may contain links and references to objects of its own cache: the next one of a hash chain,
//! the children of a tree. What is dropped with a value is dropped recursively, as with any owner in Rust,
//! and a kernel stack is small: where a chain may be long, the links are taken apart one by one, from its
//! head. Values that own each other in a circle are never dropped.
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h)

use crate::{
    accounting::site::Tag,
    slab::{
        args::Options,
        ctor::Construct,
        self_counting::{
            RawObject, //
            SelfCountingCache,
        }, //
        SlabSite,
    },
    sys::{
        bindings,
        gfp::Gfp,
        kmem_cache::{
            delayed, //
            Spec,
        }, //
    }, //
};
use core::{
    cell::UnsafeCell,
    mem::{
        needs_drop,
        offset_of,
        ManuallyDrop, //
    },
    ptr::NonNull, //
};
use kernel::{
    alloc::AllocError,
    ffi::c_void,
    prelude::*,
    sync::{
        atomic::Release,
        Refcount, //
    }, //
};

mod link;

pub use self::link::{
    RcuLink,
    RcuPtr,
    RcuRef, //
};

/// What an object of an [`RcuCache`] consists of: a key that is always there, and a value that comes
/// and goes. The type in the declaration of the site, `cache(TypesafeByRcu<K, T>)`.
///
/// # Examples
///
/// ```
/// use kalloc::{slab::TypesafeByRcu, Tag};
/// use kernel::sync::atomic::Atomic;
///
/// struct Conn {
///     peer: u32,
/// }
///
/// kalloc::sites! {
///     /// Connections, by a number that readers see at any time.
///     Conns: cache(TypesafeByRcu<Atomic<u64>, Conn>), "doc_typesafe";
/// }
///
/// assert!(Conns::site().unit() >= size_of::<Conn>() + size_of::<u64>());
/// ```
#[repr(C)]
pub struct TypesafeByRcu<K, T> {
    /// First, as the allocator's pointer in a free object is aligned.
    value: UnsafeCell<Place<T>>,
    /// The number of references to the value; there is one if it is not 0.
    refs: Refcount,
    key: K,
}

/// The place of a value. While there is none, the allocator keeps its pointer to the next free object
/// there, or [`delayed`] that of its list.
#[repr(C)]
union Place<T> {
    _value: ManuallyDrop<T>,
    _word: usize,
}

/// An object that readers may look at while it is freed: [`TypesafeByRcu`].
///
/// The trait itself has no bounds, so that a value may contain an [`RcuLink`] or an [`RcuRef`] to
/// objects of its own cache. [`RcuCache::new`] has them.
///
/// # Examples
///
/// ```
/// use kalloc::slab::{
///     typesafe_by_rcu::{RcuObject, RcuSite},
///     Options, RcuCache, RcuRef, TypesafeByRcu,
/// };
/// use kernel::sync::atomic::{Atomic, Relaxed};
///
/// /// A value with its key, whatever they are.
/// fn both<S>(
///     found: &RcuRef<S>,
/// ) -> (
///     &<S::Object as RcuObject>::Key,
///     &<S::Object as RcuObject>::Value,
/// )
/// where
///     S: RcuSite,
/// {
///     (found.key(), found)
/// }
///
/// kalloc::sites! {
///     Conns: cache(TypesafeByRcu<Atomic<u64>, u32>), "doc_rcu_object";
/// }
///
/// let conns = RcuCache::<Conns>::new(Options::new())?;
/// let conn = conns.reserve(GFP_KERNEL)?.write(1);
/// let (key, value) = both(&conn);
/// assert_eq!((key.load(Relaxed), *value), (0, 1));
/// # Ok::<(), Error>(())
/// ```
pub trait RcuObject: sealed::Sealed {
    /// What readers may see at any time.
    type Key;
    /// What there are references to.
    type Value;
}

/// A site of an [`RcuCache`]: short for the bounds on the [`Tag`].
///
/// # Examples
///
/// ```
/// use kalloc::slab::{typesafe_by_rcu::RcuSite, RcuLink, TypesafeByRcu};
/// use kernel::sync::{atomic::Atomic, rcu};
///
/// /// Whether there is an object at a place that readers look at.
/// fn is_linked<S: RcuSite>(link: &RcuLink<S>) -> bool {
///     let guard = rcu::read_lock();
///     link.load(&guard).is_some()
/// }
///
/// kalloc::sites! {
///     Conns: cache(TypesafeByRcu<Atomic<u64>, u32>), "doc_rcu_site";
/// }
///
/// assert!(!is_linked(&RcuLink::<Conns>::new()));
/// ```
pub trait RcuSite: SlabSite<Object: RcuObject> {}

impl<S: SlabSite<Object: RcuObject>> RcuSite for S {}

/// Keeps [`RcuObject`] to [`TypesafeByRcu`].
mod sealed {
    /// Implemented for what readers may look at.
    pub trait Sealed {}
}

impl<K, T> sealed::Sealed for TypesafeByRcu<K, T> {}

impl<K, T> RcuObject for TypesafeByRcu<K, T> {
    type Key = K;
    type Value = T;
}

/// The key of the objects of `S`.
type Key<S> = <<S as Tag>::Object as RcuObject>::Key;
/// Their value.
type Value<S> = <<S as Tag>::Object as RcuObject>::Value;
/// The objects of `S`. There is one type of objects only, so that this is `S::Object`.
type Cell<S> = TypesafeByRcu<Key<S>, Value<S>>;

impl<K, T> TypesafeByRcu<K, T> {
    /// Where the value is, or will be.
    ///
    /// # Safety
    ///
    /// `this` must be an object of a cache.
    #[inline]
    unsafe fn value(this: NonNull<Self>) -> NonNull<T> {
        // SAFETY: `this` points to an object of a cache. A value starts where its cell and its place do.
        unsafe { NonNull::new_unchecked((&raw mut (*this.as_ptr()).value).cast()) }
    }

    /// The number of references.
    ///
    /// # Safety
    ///
    /// `this` must be an object of a cache, whose slab is not given back during `'a`.
    #[inline]
    unsafe fn refs<'a>(this: NonNull<Self>) -> &'a Refcount {
        // SAFETY: By the requirement of this function: constructed with the slab, and only shared
        // since.
        unsafe { &(*this.as_ptr()).refs }
    }

    /// The key.
    ///
    /// # Safety
    ///
    /// As for `refs`.
    #[inline]
    unsafe fn key<'a>(this: NonNull<Self>) -> &'a K {
        // SAFETY: As in `refs`.
        unsafe { &(*this.as_ptr()).key }
    }
}

/// A slab cache of [`TypesafeByRcu`] objects, counted at site `S` and named after it.
///
/// It may be dropped while there are references: it is destroyed when the last value has gone, and
/// the last reader that has found it.
///
/// # Examples
///
/// ```
/// use kalloc::slab::{Options, RcuCache, RcuLink, TypesafeByRcu};
/// use kernel::sync::{
///     atomic::{Atomic, Relaxed},
///     rcu,
/// };
///
/// struct Conn {
///     number: u64,
///     peer: u32,
/// }
///
/// kalloc::sites! {
///     Conns: cache(TypesafeByRcu<Atomic<u64>, Conn>), "doc_rcu_cache";
/// }
///
/// let conns = RcuCache::<Conns>::new(Options::new())?;
/// let table = [const { RcuLink::<Conns>::new() }; 4];
///
/// // A writer: the key is for readers to see, before and after.
/// let slot = conns.reserve(GFP_KERNEL)?;
/// slot.key().store(7, Relaxed);
/// let conn = slot.write(Conn { number: 7, peer: 1 });
/// drop(table[3].replace(Some(conn)));
///
/// // A reader: the object may have become another one before there is a reference to it.
/// let guard = rcu::read_lock();
/// let seen = table[3]
///     .load(&guard)
///     .filter(|seen| seen.key().load(Relaxed) == 7);
/// let conn = seen.and_then(|seen| seen.get(|conn| conn.number == 7));
/// drop(guard);
/// assert_eq!(conn.map(|conn| conn.peer), Some(1));
/// conns.shrink()?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `Key<S>` is `Construct` and `Sync`, `Value<S>` is `Send`, `Sync` and `'static`: [`new`](Self::new),
/// the only constructor, requires it. So these bounds hold wherever an [`RcuSlot`], [`RcuRef`] or
/// [`RcuPtr`] of `S` exists.
pub struct RcuCache<S: RcuSite>(SelfCountingCache<S>);

impl<S: RcuSite> RcuCache<S> {
    /// Creates the cache of site `S`.
    ///
    /// # Context
    ///
    /// Process context; sleeps.
    ///
    /// # Errors
    ///
    /// As [`KmemCache::new`](crate::KmemCache::new).
    pub fn new(options: Options) -> Result<Self>
    where
        Key<S>: Construct + Sync,
        Value<S>: Send + Sync + 'static,
    {
        const {
            assert!(
                !needs_drop::<Key<S>>(),
                "the key of a type-safe object is never dropped"
            )
        };
        let spec = options.spec::<S::Object>()?;
        let spec = Spec {
            flags: spec.flags | bindings::SLAB_TYPESAFE_BY_RCU,
            // CAST: It is 0.
            free_pointer: Some(offset_of!(Cell<S>, value) as u32),
            ..spec
        };
        // SAFETY: The spec is that of the options. The value's place has an aligned word, and is
        // used while there are references only. The constructor is that of the object. The key is `Send`, and not to be
        // dropped, and so is a number.
        // INVARIANT: The bounds of this function are those of the type invariants.
        Ok(RcuCache(unsafe {
            SelfCountingCache::new(spec, construct::<Key<S>, Value<S>>)?
        }))
    }

    /// Takes an object without a value out of the cache, to be given its key, and
    /// [written](RcuSlot::write).
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    #[inline]
    pub fn reserve(&self, gfp: impl Into<Gfp>) -> Result<RcuSlot<S>, AllocError> {
        // INVARIANT: Constructed without a value, and given back without one.
        Ok(RcuSlot {
            memory: ManuallyDrop::new(self.0.take(gfp.into())?),
        })
    }

    /// Gives slabs without objects back to the page allocator, when readers are done with them.
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

/// An object that has no value, and nobody but one owner. Given back to the cache on drop.
///
/// # Examples
///
/// ```
/// use kalloc::slab::{Options, RcuCache, TypesafeByRcu};
/// use kernel::{
///     new_mutex,
///     sync::{
///         atomic::{Atomic, Relaxed},
///         Mutex,
///     },
/// };
///
/// kalloc::sites! {
///     Conns: cache(TypesafeByRcu<Atomic<u64>, Mutex<u32>>), "doc_rcu_slot";
/// }
///
/// let conns = RcuCache::<Conns>::new(Options::new())?;
/// let slot = conns.reserve(GFP_KERNEL)?;
/// slot.key().store(7, Relaxed);
/// let conn = slot.pin_init(new_mutex!(1))?;
/// assert_eq!(*conn.lock(), 1);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The number of references is 0.
pub struct RcuSlot<S: RcuSite> {
    memory: ManuallyDrop<RawObject<S>>,
}

impl<S: RcuSite> RcuSlot<S> {
    /// The object.
    #[inline]
    fn cell(&self) -> NonNull<Cell<S>> {
        self.memory.as_ptr().cast()
    }

    /// The key, which late readers of the object's earlier value may be looking at, or have locked.
    #[inline]
    pub fn key(&self) -> &Key<S> {
        // SAFETY: The object is ours while `self` is borrowed.
        unsafe { TypesafeByRcu::key(self.cell()) }
    }

    /// Moves `value` in, and returns the first reference to it.
    ///
    /// The value is on the stack before. One of more than 2 KiB does not compile here:
    /// [`pin_init`](Self::pin_init) has no limit.
    #[inline]
    pub fn write(self, value: Value<S>) -> RcuRef<S> {
        const { crate::sys::in_place::assert_movable::<Value<S>>() };
        // SAFETY: There is room for it, and by the invariants nobody looks at it.
        unsafe { TypesafeByRcu::value(self.cell()).write(value) };
        // SAFETY: Just initialised.
        unsafe { self.publish() }
    }

    /// Initialises the value in place, where it will stay.
    ///
    /// # Errors
    ///
    /// The initialiser's; the memory is given back.
    pub fn pin_init<E>(self, init: impl PinInit<Value<S>, E>) -> Result<RcuRef<S>, E> {
        // SAFETY: As in `write`; on error it is not used. It never moves.
        unsafe {
            crate::sys::in_place::raw_try_init(TypesafeByRcu::value(self.cell()).as_ptr(), init)?
        };
        // SAFETY: Just initialised.
        Ok(unsafe { self.publish() })
    }

    /// Makes the first reference.
    ///
    /// # Safety
    ///
    /// There must be a valid value.
    #[inline]
    unsafe fn publish(self) -> RcuRef<S> {
        let cell = ManuallyDrop::new(self).cell();
        // SAFETY: The object is still ours. Whoever finds the number to be 1 or more sees what
        // was done to value and key before.
        unsafe { TypesafeByRcu::refs(cell) }
            .as_atomic()
            .store(1, Release);
        // SAFETY: The number has been raised for this reference. The value is valid by the
        // requirement of this function.
        unsafe { RcuRef::from_raw(cell) }
    }
}

impl<S: RcuSite> Drop for RcuSlot<S> {
    #[inline]
    fn drop(&mut self) {
        // Of a lock in the key, this thread may have the guard, which the RCU guard keeps valid.
        let is_locked = delayed::is_locked(NonNull::from(self.key()));
        // SAFETY: The field is not used again.
        let memory = unsafe { ManuallyDrop::take(&mut self.memory) };
        if is_locked {
            // SAFETY: The object begins with the place of a value, of which there is none.
            unsafe { memory.free_later() };
        }
    }
}

/// Makes an object without a value for the allocator.
///
/// # Safety
///
/// `at` must be memory for a `TypesafeByRcu<K, T>` that nobody uses.
unsafe extern "C" fn construct<K: Construct, T>(at: *mut c_void) {
    let at = at.cast::<TypesafeByRcu<K, T>>();
    // SAFETY: By the requirement of this function. The key stays there, and does not need to be
    // dropped.
    unsafe {
        (&raw mut (*at).refs).write(Refcount::new(0));
        crate::sys::in_place::raw_init(&raw mut (*at).key, K::construct());
    }
}
