// SPDX-License-Identifier: GPL-2.0

//! Values and where they are put: the limit for those that are moved, and pin-init's `raw_init` and
//! `raw_try_init` for those that are initialized in place.

#[cfg(not(LINUX_7_2))]
pub(crate) use pin_init::{
    raw_init,
    raw_try_init, //
};

/// The largest value, in bytes, that a function of this crate takes or returns by value.
///
/// A move may leave two or three copies in the frames of the caller and of the function. The kernel's
/// stack has 16 KiB, and `CONFIG_FRAME_WARN` allows 2 KiB for a frame of C.
pub(crate) const MAX_MOVED: usize = 2 << 10;

/// Checks when compiling that a `T` is small enough to be moved.
pub(crate) const fn assert_movable<T>() {
    assert!(
        size_of::<T>() <= MAX_MOVED,
        "a value above 2 KiB does not fit on the kernel stack: initialize it in place"
    );
}

/// Linux 7.2 has them as a method only.
///
/// # Safety
///
/// As for pin-init's: `slot` must be valid for writes and aligned, and stay where it is until it is
/// dropped, unless `init` implements `Init`. If this fails, there is nothing in it.
#[cfg(LINUX_7_2)]
#[inline(always)]
pub(crate) unsafe fn raw_try_init<T, E>(
    slot: *mut T,
    init: impl pin_init::PinInit<T, E>,
) -> Result<(), E> {
    // SAFETY: By the requirements of this function.
    unsafe { init.__pinned_init(slot) }
}

/// Likewise, for initialisers that do not fail.
///
/// # Safety
///
/// As for [`raw_try_init`].
#[cfg(LINUX_7_2)]
#[inline(always)]
pub(crate) unsafe fn raw_init<T>(slot: *mut T, init: impl pin_init::PinInit<T>) {
    // SAFETY: By the requirements of this function.
    unsafe { raw_try_init(slot, init) }.unwrap_or_else(|never| match never {})
}
