// SPDX-License-Identifier: GPL-2.0

//! How objects are found, looked at, and held.

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

/// A reference to a value: it stays until the last of them is dropped. Whoever drops the last one
/// drops the value, and gives the memory back.
///
/// The number of references has 31 bits. A clone beyond them saturates it, with a warning in the log, as
/// with the kernel's own `Arc`: from then on the number stays as it is. The value is never dropped, its
/// memory never given back, and its cache stays until the next boot. Only a driver that leaks
/// references comes that far: two billion of them take 16 GiB to keep.
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
/// // The memory is whose the last reference is.
/// assert!(conn.into_slot().is_none());
/// let slot = other.into_slot().ok_or(EBUSY)?;
/// assert_eq!(*slot.write(2), 2);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `cell` is an object of the cache of `S`. One of the number of its references is this one's, and so
/// it has a value.
pub struct RcuRef<S: RcuSite> {
    cell: NonNull<Cell<S>>,
    _value: PhantomData<Value<S>>,
}

// SAFETY: A reference exists only for an object of an `RcuCache`. By the invariants of the cache, the
// value is `Send`, as any thread may drop it, and `Sync`; the key is `Sync`.
unsafe impl<S: RcuSite> Send for RcuRef<S> {}
// SAFETY: A shared reference gives access to the value and the key, both `Sync`, and may become another
// reference, for which the above holds.
unsafe impl<S: RcuSite> Sync for RcuRef<S> {}

impl<S: RcuSite> RcuRef<S> {
    /// # Safety
    ///
    /// The invariants must hold for `cell`, whose number of references has been raised for this one.
    #[inline]
    pub(super) unsafe fn from_raw(cell: NonNull<Cell<S>>) -> Self {
        // INVARIANT: By the requirement of this function.
        RcuRef {
            cell,
            _value: PhantomData,
        }
    }

    /// The object's key.
    #[inline]
    pub fn key(&self) -> &Key<S> {
        // SAFETY: By the invariants, the object is live as long as `self`.
        unsafe { TypesafeByRcu::key(self.cell) }
    }

    /// The value, which never moves.
    #[inline]
    pub fn as_pin(&self) -> Pin<&Value<S>> {
        // SAFETY: It is dropped in place, and only shared before.
        unsafe { Pin::new_unchecked(self) }
    }

    /// Drops the reference. If it is the last one, the value is dropped and its memory kept, to be
    /// used again: readers who have found it may see it become another one.
    pub fn into_slot(self) -> Option<RcuSlot<S>> {
        let cell = ManuallyDrop::new(self).cell;
        // SAFETY: By the invariants, the object is live until the number is lowered for `self`, which
        // is not used again.
        if !unsafe { TypesafeByRcu::refs(cell) }.dec_and_test() {
            return None;
        }
        // SAFETY: There was one reference, so nobody else has access to the value; nor will anybody,
        // since the number is 0. What others did with theirs is over.
        unsafe { TypesafeByRcu::value(cell).drop_in_place() };
        // INVARIANT: The number is 0.
        Some(RcuSlot {
            // SAFETY: Without a reference, nobody owns the object. For the type, see `Cell`.
            memory: ManuallyDrop::new(unsafe { RawObject::from_raw(cell.cast()) }),
        })
    }
}

impl<S: RcuSite> Deref for RcuRef<S> {
    type Target = Value<S>;

    #[inline]
    fn deref(&self) -> &Value<S> {
        // SAFETY: By the invariants, there is a value as long as `self`. It is never borrowed mutably.
        unsafe { TypesafeByRcu::value(self.cell).as_ref() }
    }
}

impl<S: RcuSite> Clone for RcuRef<S> {
    #[inline]
    fn clone(&self) -> Self {
        // SAFETY: By the invariants, the object is live.
        unsafe { TypesafeByRcu::refs(self.cell) }.inc();
        // SAFETY: Just raised; it has a value, since `self` is a reference, too.
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

/// Where readers find an object: a reference to one, or none.
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
/// The pointer is NULL, or an object of the cache of `S`, one of whose references is the link's.
pub struct RcuLink<S: RcuSite> {
    cell: Atomic<*mut Cell<S>>,
    _owned: PhantomData<RcuRef<S>>,
}

impl<S: RcuSite> RcuLink<S> {
    /// Returns a link to nothing.
    pub const fn new() -> Self {
        // INVARIANT: NULL.
        RcuLink {
            cell: Atomic::new(ptr::null_mut()),
            _owned: PhantomData,
        }
    }

    /// Links to `new`, and returns what was linked before.
    pub fn replace(&self, new: Option<RcuRef<S>>) -> Option<RcuRef<S>> {
        let new = new.map_or(ptr::null_mut(), |new| ManuallyDrop::new(new).cell.as_ptr());
        // INVARIANT: The reference that was `new` is the link's now.
        let old = NonNull::new(self.cell.xchg(new, Full))?;
        // SAFETY: By the invariants, the link had a reference to it, which is the caller's now.
        Some(unsafe { RcuRef::from_raw(old) })
    }

    /// Returns what is linked, to be looked at as long as the RCU read lock is held.
    #[inline]
    pub fn load<'g>(&self, _guard: &'g Guard) -> Option<RcuPtr<'g, S>> {
        let cell = NonNull::new(self.cell.load(Acquire))?;
        // INVARIANT: By the invariants, the object was live when its address was read, with the lock
        // held.
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

/// An object that was live when it was found, and has since maybe been freed, or become another one.
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
/// /// Returns what is linked, if it is `number`.
/// fn find(link: &RcuLink<Conns>, number: u64) -> Option<RcuRef<Conns>> {
///     let guard = rcu::read_lock();
///     let seen = link.load(&guard)?;
///     let is_it = |key: &Atomic<u64>| key.load(Relaxed) == number;
///     // Once to see whether it is worth a reference, and once when it cannot change any more.
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
/// `cell` is an object of the cache of `S`, whose slab is not given back during `'g`.
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
    /// The key: that of the object that was found, of another one, or of none. Not to be relied upon,
    /// but to save the trouble of taking a reference to what is not looked for.
    ///
    /// A lock in the key may be held while the object is freed: it protects the key, not a value.
    #[inline]
    pub fn key(&self) -> &'g Key<S> {
        // SAFETY: By the invariants, the slab stays during `'g`.
        unsafe { TypesafeByRcu::key(self.cell) }
    }

    /// Takes a reference to the value, if there is one, and it `is` the one looked for. It may not be
    /// the one that was found: that is to be told by the value, or the key, now that it cannot change
    /// any more.
    #[inline]
    pub fn get(self, is: impl FnOnce(&RcuRef<S>) -> bool) -> Option<RcuRef<S>> {
        // SAFETY: By the invariants, the slab stays during `'g`.
        let refs = unsafe { TypesafeByRcu::refs(self.cell) }
            .as_atomic()
            .as_ptr();
        // SAFETY: The number is that of a `refcount_t`, which is an atomic and nothing else.
        if !unsafe { bindings::kalloc_helper_refcount_inc_not_zero_acquire(refs.cast()) } {
            return None;
        }
        // SAFETY: The number was not 0, and has been raised: there is a value, whose writing was seen.
        let found = unsafe { RcuRef::from_raw(self.cell) };
        is(&found).then_some(found)
    }
}
