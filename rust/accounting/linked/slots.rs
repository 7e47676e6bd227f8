// SPDX-License-Identifier: GPL-2.0-only

//! A table of pointers by address, which is searched without a lock.

use core::{
    ptr::{
        self,
        NonNull, //
    },
    sync::atomic::{
        AtomicPtr,
        AtomicUsize,
        Ordering, //
    }, //
};
use kernel::prelude::*;

/// The key of a slot whose address was removed. A search continues behind it.
const GONE: usize = 1;

struct Slot<T> {
    /// The address, which is above [`GONE`]; 0 if the slot is unused.
    key: AtomicUsize,
    value: AtomicPtr<T>,
}

/// A table of `N` slots, a power of two, in the order of a hash of the addresses.
///
/// One slot always stays unused, so that every search ends. Only a holder of the lock of the table
/// changes it.
pub(crate) struct Slots<T, const N: usize>([Slot<T>; N]);

impl<T, const N: usize> Slots<T, N> {
    /// Creates an empty table.
    pub(crate) const fn new() -> Self {
        core::assert!(N.is_power_of_two() && N > 1);
        Slots(
            [const {
                Slot {
                    key: AtomicUsize::new(0),
                    value: AtomicPtr::new(ptr::null_mut()),
                }
            }; N],
        )
    }

    /// Returns the slots in the order in which an address is searched.
    fn order(&self, key: usize) -> impl Iterator<Item = &Slot<T>> {
        // The upper bits of the product depend on all bits of the address.
        let first = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (usize::BITS - N.ilog2());
        let (before, after) = self.0.split_at(first);
        Iterator::chain(after.iter(), before)
    }

    /// Returns the pointer of an address.
    pub(crate) fn find(&self, key: usize) -> Option<NonNull<T>> {
        for slot in self.order(key) {
            match slot.key.load(Ordering::Acquire) {
                0 => return None,
                found if found == key => return NonNull::new(slot.value.load(Ordering::Relaxed)),
                _ => {}
            }
        }
        None
    }

    /// Returns the number of slots at which a search ends. The caller holds the lock.
    pub(crate) fn unused(&self) -> usize {
        let unused = |slot: &&Slot<T>| slot.key.load(Ordering::Relaxed) == 0;
        self.0.iter().filter(unused).count()
    }

    /// Returns whether [`insert`](Self::insert) fails for any address. The caller holds the lock.
    pub(crate) fn is_full(&self) -> bool {
        let gone = |slot: &Slot<T>| slot.key.load(Ordering::Relaxed) == GONE;
        self.unused() == 1 && !self.0.iter().any(gone)
    }

    /// Adds an address, which the table does not have. The caller holds the lock.
    ///
    /// # Errors
    ///
    /// [`ENOSPC`] if there is no slot.
    pub(crate) fn insert(&self, key: usize, value: &T) -> Result {
        let last = self.unused() == 1;
        // The last unused slot ends the searches.
        let free = |slot: &&Slot<T>| match slot.key.load(Ordering::Relaxed) {
            0 => !last,
            key => key == GONE,
        };
        let slot = self.order(key).find(free).ok_or(ENOSPC)?;
        slot.value
            .store(ptr::from_ref(value).cast_mut(), Ordering::Relaxed);
        slot.key.store(key, Ordering::Release);
        Ok(())
    }

    /// Removes the addresses for which `is_gone` returns true. The caller holds the lock.
    ///
    /// The slots before an unused one become unused as well: a search that reaches them would end
    /// there anyway. The length of a search therefore depends on the present addresses only.
    pub(crate) fn remove(&self, mut is_gone: impl FnMut(usize, *mut T) -> bool) {
        for slot in &self.0 {
            let key = slot.key.load(Ordering::Relaxed);
            if key > GONE && is_gone(key, slot.value.load(Ordering::Relaxed)) {
                slot.key.store(GONE, Ordering::Relaxed);
            }
        }
        let mut ends = false;
        // The last slot precedes the first one, so that the second pass continues the first pass.
        for slot in Iterator::chain(self.0.iter().rev(), self.0.iter().rev()) {
            let key = slot.key.load(Ordering::Relaxed);
            if key == GONE && ends {
                slot.key.store(0, Ordering::Relaxed);
            }
            ends = key == 0 || key == GONE && ends;
        }
    }
}
