// SPDX-License-Identifier: GPL-2.0
//! The families are this crate's: their functions run under its locks.
//! error: private

pub struct Mine;

impl kalloc::accounting::site::sealed::Sealed for Mine {}
