// SPDX-License-Identifier: GPL-2.0-only

//! Initialization in place: pin-init's `raw_init` and `raw_try_init`, and the size limit for values
//! that are moved instead.

#[cfg(not(LINUX_7_2))]
pub(crate) use pin_init::{
    raw_init,
    raw_try_init, //
};

/// The largest value, in bytes, that a function of this crate takes or returns by value.
///
/// A move may leave two or three copies in the stack frames of the caller and of the function. The
/// kernel stack has 16 KiB, and `CONFIG_FRAME_WARN` allows 2 KiB for a frame of C.
pub(crate) const MAX_MOVED: usize = 2 << 10;

/// Checks at compile time that a `T` is small enough to be moved.
pub(crate) const fn assert_movable<T>() {
    assert!(
        size_of::<T>() <= MAX_MOVED,
        "a value above 2 KiB does not fit on the kernel stack: initialize it in place"
    );
}

/// Initializes `slot` in place with `init`. Linux 7.2 provides only a method for that.
///
/// # Safety
///
/// - `slot` must be valid for writes and aligned.
/// - The value must not move until it is dropped, unless `init` implements `Init`.
/// - After an error, the caller must treat `*slot` as uninitialized.
#[cfg(LINUX_7_2)]
#[inline(always)]
pub(crate) unsafe fn raw_try_init<T, E>(
    slot: *mut T,
    init: impl pin_init::PinInit<T, E>,
) -> Result<(), E> {
    // SAFETY: `slot` is valid for writes and aligned, its value stays pinned, and nothing reads it
    // after an error, by the requirements of this function.
    unsafe { init.__pinned_init(slot) }
}

/// Initializes `slot` in place with an `init` that cannot fail.
///
/// # Safety
///
/// The requirements of [`raw_try_init`] apply.
#[cfg(LINUX_7_2)]
#[inline(always)]
pub(crate) unsafe fn raw_init<T>(slot: *mut T, init: impl pin_init::PinInit<T>) {
    // SAFETY: `slot` is valid for writes and aligned, and its value stays pinned, by the
    // requirements of this function.
    unsafe { raw_try_init(slot, init) }.unwrap_or_else(|never| match never {})
}
