// SPDX-License-Identifier: GPL-2.0
//! The families are this crate's: their functions run under its locks.
//! error: private

pub struct Mine;

impl kalloc::site::sealed::Sealed for Mine {}
