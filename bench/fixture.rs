// SPDX-License-Identifier: GPL-2.0-only

//! State that exists during all measurements.

use crate::{
    c::Caches,
    cache::{
        self,
        Objects, //
    }, //
};
use kalloc::KmemCache;
use kernel::prelude::*;

/// The slab caches of both sides.
pub(crate) struct Fixture {
    pub(crate) cache: KmemCache<Objects>,
    _c: Caches,
}

impl Fixture {
    /// Creates both caches; called once.
    pub(crate) fn new() -> Result<Self> {
        Ok(Fixture {
            cache: cache::create()?,
            _c: Caches::new()?,
        })
    }
}
