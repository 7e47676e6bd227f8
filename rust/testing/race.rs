// SPDX-License-Identifier: GPL-2.0-only

//! An intentional data race, which safe Rust excludes: part of `kalloc_data_race.ko`.

use core::{
    cell::UnsafeCell,
    hint::black_box, //
};

/// A number to which threads add without synchronization.
pub(crate) struct Racy(UnsafeCell<u64>);

// SAFETY: This is intentionally unsound: the test that uses it checks that KCSAN reports the race.
// The value of the number does not matter.
unsafe impl Sync for Racy {}

impl Racy {
    pub(crate) const fn new() -> Self {
        Racy(UnsafeCell::new(0))
    }

    /// Adds 1 by an ordinary read and an ordinary write.
    #[inline(never)]
    pub(crate) fn add(&self) {
        let number = self.0.get();
        // SAFETY: The address is valid. Concurrent writes are the intended race; on the supported
        // processors, the result is an arbitrary number.
        unsafe { *number = black_box(*number) + 1 };
    }
}
