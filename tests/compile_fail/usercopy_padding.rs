// SPDX-License-Identifier: GPL-2.0-only
//! H12: a field with padding cannot be copied to user space.
//! error: the trait bound `Padded: AsBytes` is not satisfied

use kalloc::{
    slab::{
        Field,
        Options, //
    }, //
    KmemCache,
};
use kernel::prelude::*;

pub struct Padded(u8, u32);

pub struct Record {
    padded: Padded,
}

kalloc::sites! {
    pub Records: cache(Record), "compile_record";
}

#[inline(never)]
pub fn case() -> Result {
    let field: Field<Record, Padded> = kalloc::field!(Record, padded);
    KmemCache::<Records>::with_usercopy(Options::new(), field).map(drop)
}
