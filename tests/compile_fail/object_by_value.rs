// SPDX-License-Identifier: GPL-2.0-only
//! A slab object that is too large for the stack must be initialized in place.
//! error: initialize it in place

use kalloc::{
    slab::Options, //
    KmemCache,
};
use kernel::prelude::*;

kalloc::sites! {
    pub Large: cache([u64; 257]), "compile_large";
}

#[inline(never)]
pub fn case() -> Result {
    let cache = KmemCache::<Large>::new(Options::new())?;
    drop(cache.alloc([0; 257], GFP_KERNEL)?);
    Ok(())
}
