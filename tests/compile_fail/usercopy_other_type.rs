// SPDX-License-Identifier: GPL-2.0-only
//! H12: a usercopy region must be a field of the object's own type.
//! error: mismatched types

use kalloc::{
    slab::Options, //
    KmemCache,
};
use kernel::prelude::*;

pub struct Record {
    name: [u8; 16],
}

kalloc::sites! {
    pub Words: cache([u64; 2]), "compile_word";
}

#[inline(never)]
pub fn case() -> Result {
    KmemCache::<Words>::with_usercopy(Options::new(), kalloc::field!(Record, name)).map(drop)
}
