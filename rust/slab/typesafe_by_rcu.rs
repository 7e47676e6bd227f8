// SPDX-License-Identifier: GPL-2.0-only

//! Caches whose objects may be read while they are freed and become other objects
//! (`SLAB_TYPESAFE_BY_RCU`).
//!
//! Readers find objects without a lock, and writers free objects without waiting for readers. The
//! cache reuses freed memory at once, while it is in the CPU's caches, but only for its own
//! objects. The memory returns to the page allocator only after a grace period. A reader that holds
//! the RCU read lock can therefore read an object that it has found, even if it was freed since.
//!
//! The *key* is always readable: the constructor initializes it once per slab, and it stays valid
//! until the slab is returned to the page allocator. It is shared data, such as an atomic. The
//! *value* exists as long as there are references to it, and only their holders have access:
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
//! # Soundness
//!
//! * A pointer is found in an [`RcuLink`], which owns a reference. The object was live when the
//!   pointer was loaded under the RCU read lock, and its slab is not returned before the lock is
//!   released. The pointer, an [`RcuPtr`], therefore cannot outlive the guard.
//! * The number of references and the key are constructed with the slab, and never overwritten as a
//!   whole or dropped. Threads share the key, so that its type must be [`Sync`]. A check at compile
//!   time ensures that it does not need `Drop`.
//! * A reference is taken only if the number of references is not 0. The number becomes 1, with
//!   release ordering, after the value is written, and taking a reference acquires it. The thread
//!   that lowers it to 0 drops the value. There is never an exclusive reference to a value, because
//!   a reader may take another reference at any time.
//! * The allocator does not modify free objects, see [`ctor`](super::ctor). The one word that it
//!   needs is in the place of the value, which is unused while the object is free.
//! * A thread may free an object while it holds a lock in the key, which stays locked and can be
//!   unlocked. lockdep would report this free, so that a worker frees such an object on kernels
//!   with lockdep.
//! * `kmem_cache_destroy()` waits for the callbacks that return slabs (`rcu_barrier()`) before it
//!   frees the cache itself.
//!
//! # Context
//!
//! The context of other [caches](crate::slab). A reader may drop the last reference to a value, so
//! that dropping a value must not sleep.
//!
//! # Chains
//!
//! A value may contain links and references to objects of its own cache: the next object of a hash
//! chain, the children of a tree. Such references are dropped recursively, as with any owner in
//! Rust, and a kernel stack is small. The owner of a chain that may be long must take its links
//! apart one by one, from the head. Values that own each other in a cycle are never dropped.
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

/// An object of an [`RcuCache`]: a key that is always valid, and a value that exists at times.
///
/// This is the type in the declaration of the site, `cache(TypesafeByRcu<K, T>)`.
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
///     /// Connections, with a number that readers may read at any time.
///     Conns: cache(TypesafeByRcu<Atomic<u64>, Conn>), "doc_typesafe";
/// }
///
/// assert!(Conns::site().unit() >= size_of::<Conn>() + size_of::<u64>());
/// ```
#[repr(C)]
pub struct TypesafeByRcu<K, T> {
    /// The value. It is the first field, because the allocator's pointer in a free object is
    /// aligned.
    value: UnsafeCell<Place<T>>,
    /// The number of references to the value, which is valid if the number is not 0.
    refs: Refcount,
    key: K,
}

/// The place of a value. While there is no value, the allocator stores its pointer to the next free
/// object here, or [`delayed`] that of its list.
#[repr(C)]
union Place<T> {
    _value: ManuallyDrop<T>,
    _word: usize,
}

/// An object that readers may read while it is freed: [`TypesafeByRcu`].
///
/// The trait itself has no bounds, so that a value may contain an [`RcuLink`] or an [`RcuRef`] to
/// objects of its own cache. [`RcuCache::new`] has the bounds.
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
/// /// Returns a value with its key, for any types.
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
    /// The part that readers may read at any time.
    type Key;
    /// The part that has references.
    type Value;
}

/// A site of an [`RcuCache`]: an abbreviation of the bounds on the [`Tag`].
///
/// # Examples
///
/// ```
/// use kalloc::slab::{typesafe_by_rcu::RcuSite, RcuLink, TypesafeByRcu};
/// use kernel::sync::{atomic::Atomic, rcu};
///
/// /// Returns whether a link has an object.
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

/// The seal of [`RcuObject`], which only [`TypesafeByRcu`] can implement.
mod sealed {
    /// The type of objects that readers may read while they are freed.
    pub trait Sealed {}
}

impl<K, T> sealed::Sealed for TypesafeByRcu<K, T> {}

impl<K, T> RcuObject for TypesafeByRcu<K, T> {
    type Key = K;
    type Value = T;
}

/// The key of the objects of `S`.
type Key<S> = <<S as Tag>::Object as RcuObject>::Key;
/// The value of the objects of `S`.
type Value<S> = <<S as Tag>::Object as RcuObject>::Value;
/// The objects of `S`. There is only one type of objects, so that this is `S::Object`.
type Cell<S> = TypesafeByRcu<Key<S>, Value<S>>;

impl<K, T> TypesafeByRcu<K, T> {
    /// Returns the address of the value, or of its place.
    ///
    /// # Safety
    ///
    /// `this` must be an object of a cache.
    #[inline]
    unsafe fn value(this: NonNull<Self>) -> NonNull<T> {
        // SAFETY: The caller guarantees that `this` is an object of a cache. A value starts at the
        // start of its cell and its place.
        unsafe { NonNull::new_unchecked((&raw mut (*this.as_ptr()).value).cast()) }
    }

    /// Returns the number of references.
    ///
    /// # Safety
    ///
    /// - `this` must be an object of a cache.
    /// - Its slab must not be returned to the page allocator during `'a`.
    #[inline]
    unsafe fn refs<'a>(this: NonNull<Self>) -> &'a Refcount {
        // SAFETY: The caller guarantees that the slab stays during `'a`. The number was constructed
        // with the slab, and has only been shared since.
        unsafe { &(*this.as_ptr()).refs }
    }

    /// Returns the key.
    ///
    /// # Safety
    ///
    /// - `this` must be an object of a cache.
    /// - Its slab must not be returned to the page allocator during `'a`.
    #[inline]
    unsafe fn key<'a>(this: NonNull<Self>) -> &'a K {
        // SAFETY: The caller guarantees that the slab stays during `'a`. The key was constructed
        // with the slab, and has only been shared since.
        unsafe { &(*this.as_ptr()).key }
    }
}

/// A slab cache (`struct kmem_cache` with `SLAB_TYPESAFE_BY_RCU`) of [`TypesafeByRcu`] objects,
/// counted at site `S` and named after it.
///
/// The cache may be dropped while there are references: it is destroyed after the last value is
/// dropped and the last reader has released the RCU read lock.
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
/// // A writer sets the key, which readers may read before and after.
/// let slot = conns.reserve(GFP_KERNEL)?;
/// slot.key().store(7, Relaxed);
/// let conn = slot.write(Conn { number: 7, peer: 1 });
/// drop(table[3].replace(Some(conn)));
///
/// // A reader must check the object again, because it may change until there is a reference to it.
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
/// `Key<S>` is `Construct` and `Sync`; `Value<S>` is `Send`, `Sync` and `'static`.
/// [`new`](Self::new), the only constructor, requires these bounds. They therefore hold wherever an
/// [`RcuSlot`], [`RcuRef`] or [`RcuPtr`] of `S` exists.
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
    /// The errors of [`KmemCache::new`](crate::KmemCache::new).
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
            // CAST: The offset is 0.
            free_pointer: Some(offset_of!(Cell<S>, value) as u32),
            ..spec
        };
        // SAFETY: The spec is that of the options. The value's place has an aligned word, which is
        // used by the value only while there are references. The constructor is that of the object.
        // The key and the number of references are `Send` and do not need `Drop`.
        // INVARIANT: The bounds of this function are those of the type invariants.
        Ok(RcuCache(unsafe {
            SelfCountingCache::new(spec, construct::<Key<S>, Value<S>>)?
        }))
    }

    /// Reserves an object without a value, whose key can be set before the value is
    /// [written](RcuSlot::write).
    ///
    /// # Context
    ///
    /// May sleep, if `gfp` allows it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails.
    #[inline]
    pub fn reserve(&self, gfp: impl Into<Gfp>) -> Result<RcuSlot<S>, AllocError> {
        // INVARIANT: An object is constructed and freed without a value.
        Ok(RcuSlot {
            memory: ManuallyDrop::new(self.0.take(gfp.into())?),
        })
    }

    /// Gives empty slabs back to the page allocator after a grace period.
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

/// An object without a value, and with one owner. It is freed on drop.
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
    /// Returns the object.
    #[inline]
    fn cell(&self) -> NonNull<Cell<S>> {
        self.memory.as_ptr().cast()
    }

    /// Returns the key, which late readers of the object's earlier value may be reading, or have
    /// locked.
    #[inline]
    pub fn key(&self) -> &Key<S> {
        // SAFETY: The slot owns the object while `self` is borrowed, so its slab stays.
        unsafe { TypesafeByRcu::key(self.cell()) }
    }

    /// Moves `value` into the object, and returns the first reference to it.
    ///
    /// The value is on the stack before. A value of more than 2 KiB does not compile;
    /// [`pin_init`](Self::pin_init) has no limit.
    #[inline]
    pub fn write(self, value: Value<S>) -> RcuRef<S> {
        const { crate::sys::in_place::assert_movable::<Value<S>>() };
        // SAFETY: The place has room for the value. By the type invariants there is no reference,
        // so nothing reads it.
        unsafe { TypesafeByRcu::value(self.cell()).write(value) };
        // SAFETY: The value was just written.
        unsafe { self.publish() }
    }

    /// Initializes the value in place, and pins it.
    ///
    /// # Errors
    ///
    /// The initializer's error. The memory is freed in that case.
    pub fn pin_init<E>(self, init: impl PinInit<Value<S>, E>) -> Result<RcuRef<S>, E> {
        // SAFETY: The place has room for the value, and nothing reads it, since there is no
        // reference. It is not used if the initializer fails, and never moves.
        unsafe {
            crate::sys::in_place::raw_try_init(TypesafeByRcu::value(self.cell()).as_ptr(), init)?
        };
        // SAFETY: The initializer succeeded.
        Ok(unsafe { self.publish() })
    }

    /// Makes the first reference.
    ///
    /// # Safety
    ///
    /// The object must have a valid value.
    #[inline]
    unsafe fn publish(self) -> RcuRef<S> {
        let cell = ManuallyDrop::new(self).cell();
        // SAFETY: The object is still exclusively owned. This release pairs with the acquire in
        // `RcuPtr::get`: a reader that sees the number at 1 or more sees the earlier writes to
        // value and key.
        unsafe { TypesafeByRcu::refs(cell) }
            .as_atomic()
            .store(1, Release);
        // SAFETY: The number was raised for this reference. The caller guarantees that the value is
        // valid.
        unsafe { RcuRef::from_raw(cell) }
    }
}

impl<S: RcuSite> Drop for RcuSlot<S> {
    #[inline]
    fn drop(&mut self) {
        // This thread may hold the guard of a lock in the key, which the RCU guard keeps valid.
        let is_locked = delayed::is_locked(NonNull::from(self.key()));
        // SAFETY: The field is not used again.
        let memory = unsafe { ManuallyDrop::take(&mut self.memory) };
        if is_locked {
            // SAFETY: The object begins with the place of a value, and there is none.
            unsafe { memory.free_later() };
        }
    }
}

/// Constructs an object without a value for the allocator.
///
/// # Safety
///
/// `at` must be memory for a `TypesafeByRcu<K, T>` that nothing else uses.
unsafe extern "C" fn construct<K: Construct, T>(at: *mut c_void) {
    let at = at.cast::<TypesafeByRcu<K, T>>();
    // SAFETY: The caller guarantees memory for the object. The key stays there, and does not need
    // `Drop`.
    unsafe {
        (&raw mut (*at).refs).write(Refcount::new(0));
        crate::sys::in_place::raw_init(&raw mut (*at).key, K::construct());
    }
}
