// SPDX-License-Identifier: GPL-2.0-only
//! H09: the key of an object is freed with its slab, without being dropped.
//! error: the key of a type-safe object is never dropped

use kalloc::slab::{
    Construct,
    Options,
    RcuCache,
    TypesafeByRcu, //
};
use kernel::prelude::*;

pub struct Name(Option<KBox<u64>>);

impl Construct for Name {
    fn construct() -> impl PinInit<Self> {
        Name(None)
    }
}

kalloc::sites! {
    pub Conns: cache(TypesafeByRcu<Name, u32>), "compile_conn";
}

#[inline(never)]
pub fn case() -> Result {
    RcuCache::<Conns>::new(Options::new()).map(drop)
}
