// SPDX-License-Identifier: GPL-2.0

//! A data race on purpose, which safe Rust has not got: part of `kalloc_data_race.ko`.

use core::{
    cell::UnsafeCell,
    hint::black_box, //
};

/// A number that anyone adds to, with nothing to keep two of them apart.
pub(crate) struct Racy(UnsafeCell<u64>);

// SAFETY: It is not safe to share, and that is what it is for: the test that uses it is whether this lie is
// found out. Whatever the number becomes, nothing depends on it.
unsafe impl Sync for Racy {}

impl Racy {
    pub(crate) const fn new() -> Self {
        Racy(UnsafeCell::new(0))
    }

    /// Adds 1, as an ordinary read and an ordinary write.
    #[inline(never)]
    pub(crate) fn add(&self) {
        let number = self.0.get();
        // SAFETY: The address is valid. That others write there at the same time is the race; on the
        // processors that this is built for, what comes of it is one number or another.
        unsafe { *number = black_box(*number) + 1 };
    }
}
