// SPDX-License-Identifier: GPL-2.0-only
//! Other crates cannot define a family: its functions run under the crate's locks.
//! error: private

pub struct Mine;

impl kalloc::accounting::site::sealed::Sealed for Mine {}
