// SPDX-License-Identifier: GPL-2.0-only

//! Links to objects, pointers to them under the RCU read lock, and references to their values.

use super::{
    Cell,
    Key,
    RawObject,
    RcuSite,
    RcuSlot,
    TypesafeByRcu,
    Value, //
};
use crate::sys::bindings;
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full, //
        },
        rcu::Guard, //
    }, //
};

/// A reference to a value, which is valid until the last reference is dropped. The last drop also
/// drops the value and frees the memory.
///
/// The number of references has 31 bits, in a `refcount_t`. A clone beyond them saturates the
/// number, with a warning in the log, as with the kernel's own `Arc`: it never changes again. The
/// value is then never dropped, its memory is never freed, and its cache stays until the next boot.
/// Only a driver that leaks references can reach the limit: two billion of them take 16 GiB.
///
/// # Examples
///
/// ```
/// use kalloc::slab::{Options, RcuCache, TypesafeByRcu};
/// use kernel::sync::atomic::{Atomic, Relaxed};
///
/// kalloc::sites! {
///     Conns: cache(TypesafeByRcu<Atomic<u64>, u32>), "doc_rcu_ref";
/// }
///
/// let conns = RcuCache::<Conns>::new(Options::new())?;
/// let conn = conns.reserve(GFP_KERNEL)?.write(1);
/// let other = conn.clone();
/// assert_eq!((*other.as_pin(), other.key().load(Relaxed)), (1, 0));
///
/// // The holder of the last reference gets the memory.
/// assert!(conn.into_slot().is_none());
/// let slot = other.into_slot().ok_or(EBUSY)?;
/// assert_eq!(*slot.write(2), 2);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// - `cell` is an object of the cache of `S`.
/// - `self` is counted in its number of references, so that the object has a value.
pub struct RcuRef<S: RcuSite> {
    cell: NonNull<Cell<S>>,
    _value: PhantomData<Value<S>>,
}

// SAFETY: A reference exists only for an object of an `RcuCache`. By the invariants of the cache,
// the value is `Send`, because any thread may drop it, and `Sync`. The key is `Sync`.
unsafe impl<S: RcuSite> Send for RcuRef<S> {}
// SAFETY: A shared reference gives access to the value and the key, which are both `Sync`. It can
// be cloned, and a clone may be sent for the same reasons.
unsafe impl<S: RcuSite> Sync for RcuRef<S> {}

impl<S: RcuSite> RcuRef<S> {
    /// Returns the address of the object, and keeps the reference.
    ///
    /// Without a later [`from_raw`](Self::from_raw), the object is leaked, and its cache is then
    /// never destroyed.
    #[inline]
    pub fn into_raw(self) -> NonNull<TypesafeByRcu<Key<S>, Value<S>>> {
        ManuallyDrop::new(self).cell
    }

    /// Creates a reference that has already been counted, such as that of
    /// [`into_raw`](Self::into_raw).
    ///
    /// # Safety
    ///
    /// - `cell` must be an object of the cache of `S`, and have a value.
    /// - Its number of references must have been raised for this reference.
    #[inline]
    pub unsafe fn from_raw(cell: NonNull<TypesafeByRcu<Key<S>, Value<S>>>) -> Self {
        // INVARIANT: The caller guarantees the value, and a number that includes this reference.
        RcuRef {
            cell,
            _value: PhantomData,
        }
    }

    /// Returns the object's key.
    #[inline]
    pub fn key(&self) -> &Key<S> {
        // SAFETY: By the type invariants, the object is live as long as `self`.
        unsafe { TypesafeByRcu::key(self.cell) }
    }

    /// Returns the value, which never moves.
    #[inline]
    pub fn as_pin(&self) -> Pin<&Value<S>> {
        // SAFETY: The value is only shared until it is dropped in place.
        unsafe { Pin::new_unchecked(self) }
    }

    /// Drops the reference. If it is the last one, the value is dropped and its memory is returned
    /// for reuse.
    ///
    /// Readers that have found the object may see it become another one.
    pub fn into_slot(self) -> Option<RcuSlot<S>> {
        let cell = ManuallyDrop::new(self).cell;
        // SAFETY: By the type invariants, the object is live until the number is lowered for
        // `self`, which is not used again.
        if !unsafe { TypesafeByRcu::refs(cell) }.dec_and_test() {
            return None;
        }
        // SAFETY: `self` was the only reference, so that nothing else has access to the value.
        // Nothing gains access later, since the number is 0. `dec_and_test()` orders all accesses
        // through other references before this drop.
        unsafe { TypesafeByRcu::value(cell).drop_in_place() };
        // INVARIANT: The number of references is 0.
        Some(RcuSlot {
            // SAFETY: Without a reference, nothing else owns the object. For the type, see `Cell`.
            memory: ManuallyDrop::new(unsafe { RawObject::from_raw(cell.cast()) }),
        })
    }
}

impl<S: RcuSite> Deref for RcuRef<S> {
    type Target = Value<S>;

    #[inline]
    fn deref(&self) -> &Value<S> {
        // SAFETY: By the type invariants, the value is valid as long as `self`. It is never
        // borrowed mutably.
        unsafe { TypesafeByRcu::value(self.cell).as_ref() }
    }
}

impl<S: RcuSite> Clone for RcuRef<S> {
    #[inline]
    fn clone(&self) -> Self {
        // SAFETY: By the type invariants, the object is live.
        unsafe { TypesafeByRcu::refs(self.cell) }.inc();
        // SAFETY: The number was just raised. The object has a value, since `self` is a reference,
        // too.
        unsafe { RcuRef::from_raw(self.cell) }
    }
}

impl<S: RcuSite> Drop for RcuRef<S> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `self` is not used again.
        drop(unsafe { RcuRef::<S>::from_raw(self.cell) }.into_slot());
    }
}

/// A link through which readers find an object: a reference to one, or none.
///
/// # Examples
///
/// ```
/// use kalloc::slab::{Options, RcuCache, RcuLink, TypesafeByRcu};
/// use kernel::sync::{atomic::Atomic, rcu};
///
/// kalloc::sites! {
///     Conns: cache(TypesafeByRcu<Atomic<u64>, u32>), "doc_rcu_link";
/// }
///
/// let conns = RcuCache::<Conns>::new(Options::new())?;
/// let link = RcuLink::<Conns>::new();
/// assert!(link
///     .replace(Some(conns.reserve(GFP_KERNEL)?.write(1)))
///     .is_none());
/// assert!(link.load(&rcu::read_lock()).is_some());
/// assert_eq!(link.replace(None).as_deref(), Some(&1));
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The pointer is NULL, or to an object of the cache of `S` to which the link owns a reference.
pub struct RcuLink<S: RcuSite> {
    cell: Atomic<*mut Cell<S>>,
    _owned: PhantomData<RcuRef<S>>,
}

impl<S: RcuSite> RcuLink<S> {
    /// Returns an empty link.
    pub const fn new() -> Self {
        // INVARIANT: The pointer is NULL.
        RcuLink {
            cell: Atomic::new(ptr::null_mut()),
            _owned: PhantomData,
        }
    }

    /// Links to `new`, and returns the reference that was linked before.
    pub fn replace(&self, new: Option<RcuRef<S>>) -> Option<RcuRef<S>> {
        let new = new.map_or(ptr::null_mut(), |new| ManuallyDrop::new(new).cell.as_ptr());
        // INVARIANT: The reference `new` now belongs to the link.
        let old = NonNull::new(self.cell.xchg(new, Full))?;
        // SAFETY: By the type invariants, the link owned a reference to the object, which the
        // caller now owns.
        Some(unsafe { RcuRef::from_raw(old) })
    }

    /// Returns the linked object, which may be read as long as the RCU read lock is held.
    #[inline]
    pub fn load<'g>(&self, _guard: &'g Guard) -> Option<RcuPtr<'g, S>> {
        let cell = NonNull::new(self.cell.load(Acquire))?;
        // INVARIANT: By the type invariants, the object was live when its address was read under
        // the RCU read lock.
        Some(RcuPtr {
            cell,
            _guard: PhantomData,
        })
    }
}

impl<S: RcuSite> Default for RcuLink<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: RcuSite> Drop for RcuLink<S> {
    fn drop(&mut self) {
        drop(self.replace(None));
    }
}

/// A pointer to an object that was live when it was found. It may have been freed since, or become
/// another one.
///
/// # Examples
///
/// ```
/// use kalloc::slab::{Options, RcuCache, RcuLink, RcuRef, TypesafeByRcu};
/// use kernel::sync::{
///     atomic::{Atomic, Relaxed},
///     rcu,
/// };
///
/// kalloc::sites! {
///     Conns: cache(TypesafeByRcu<Atomic<u64>, u32>), "doc_rcu_ptr";
/// }
///
/// /// Returns a reference to the linked object, if its number is `number`.
/// fn find(link: &RcuLink<Conns>, number: u64) -> Option<RcuRef<Conns>> {
///     let guard = rcu::read_lock();
///     let seen = link.load(&guard)?;
///     let is_it = |key: &Atomic<u64>| key.load(Relaxed) == number;
///     // The first check avoids taking a useless reference; the second one is final.
///     is_it(seen.key())
///         .then_some(seen)?
///         .get(|conn| is_it(conn.key()))
/// }
///
/// let conns = RcuCache::<Conns>::new(Options::new())?;
/// let slot = conns.reserve(GFP_KERNEL)?;
/// slot.key().store(7, Relaxed);
/// let link = RcuLink::new();
/// link.replace(Some(slot.write(1)));
/// assert_eq!(find(&link, 7).as_deref(), Some(&1));
/// assert!(find(&link, 8).is_none());
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `cell` is an object of the cache of `S`, whose slab is not returned to the page allocator during
/// `'g`.
pub struct RcuPtr<'g, S: RcuSite> {
    cell: NonNull<Cell<S>>,
    _guard: PhantomData<&'g Guard>,
}

impl<S: RcuSite> Clone for RcuPtr<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: RcuSite> Copy for RcuPtr<'_, S> {}

impl<'g, S: RcuSite> RcuPtr<'g, S> {
    /// Returns the key: that of the object that was found, of another one, or of none.
    ///
    /// The key is a hint only: use it to skip objects before taking a reference, and check again in
    /// [`get`](Self::get).
    ///
    /// A lock in the key may be held while the object is freed: it protects the key, not a value.
    #[inline]
    pub fn key(&self) -> &'g Key<S> {
        // SAFETY: By the type invariants, the slab stays during `'g`.
        unsafe { TypesafeByRcu::key(self.cell) }
    }

    /// Takes a reference to the value, if the object has one, and returns it if `is` returns true.
    ///
    /// The value may not be the one that was found. `is` must check the value or the key, which can
    /// no longer change.
    #[inline]
    pub fn get(self, is: impl FnOnce(&RcuRef<S>) -> bool) -> Option<RcuRef<S>> {
        // SAFETY: By the type invariants, the slab stays during `'g`.
        let refs = unsafe { TypesafeByRcu::refs(self.cell) }
            .as_atomic()
            .as_ptr();
        // SAFETY: The pointer is to a `refcount_t`, which consists of an atomic only.
        if !unsafe { bindings::kalloc_helper_refcount_inc_not_zero_acquire(refs.cast()) } {
            return None;
        }
        // SAFETY: The number was not 0, and has been raised. There is a value, whose initialization
        // this thread sees by the acquire.
        let found = unsafe { RcuRef::from_raw(self.cell) };
        is(&found).then_some(found)
    }
}
