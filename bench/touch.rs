// SPDX-License-Identifier: GPL-2.0-only

//! Writes to allocated memory.

use core::mem::MaybeUninit;

/// Writes the first byte of `place`. The compiler cannot remove this write.
#[inline(always)]
pub(crate) fn touch<T>(place: &mut MaybeUninit<T>) {
    const { assert!(size_of::<T>() > 0) };
    // SAFETY: The place is borrowed mutably, is not empty, and may hold any bytes.
    unsafe { place.as_mut_ptr().cast::<u8>().write_volatile(0) };
}

/// Writes the first byte of a block of pages.
#[inline(always)]
pub(crate) fn touch_bytes(bytes: &mut [MaybeUninit<u8>]) {
    if let Some(first) = bytes.first_mut() {
        touch(first);
    }
}
