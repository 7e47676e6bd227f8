// SPDX-License-Identifier: GPL-2.0-only

//! A file that a driver shares with its user space.

/// The number.
pub(crate) const NUMBER: u64 = 7;
