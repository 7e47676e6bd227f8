// SPDX-License-Identifier: GPL-2.0

//! Initialisers, run on memory that is not theirs: `raw_init` and `raw_try_init` of pin-init.

#[cfg(not(LINUX_7_2))]
pub(crate) use pin_init::{
    raw_init,
    raw_try_init, //
};

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
