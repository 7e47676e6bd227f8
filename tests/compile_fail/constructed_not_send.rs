// SPDX-License-Identifier: GPL-2.0-only
//! H08, H14: a constructed object may be used by another thread than the one that constructed it,
//! so it must be `Send`.
//! error: `*mut u8` cannot be sent between threads safely

use kalloc::slab::Construct;
use kernel::prelude::*;

pub struct Place(*mut u8);

impl Construct for Place {
    #[inline(never)]
    fn construct() -> impl PinInit<Self> {
        Place(core::ptr::null_mut())
    }
}
