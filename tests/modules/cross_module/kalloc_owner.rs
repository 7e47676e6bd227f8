// SPDX-License-Identifier: GPL-2.0-only

//! A module whose sites another module uses: `kalloc_borrower.ko`.

use kalloc::slab::{
    Construct,
    Reset,
    TypesafeByRcu, //
};
use kernel::prelude::*;

module! {
    type: Owner,
    name: "kalloc_owner",
    authors: ["The kalloc authors"],
    description: "Sites that another module uses, for the tests of kalloc",
    license: "GPL",
}

/// An object with a constructor.
pub struct Mark(pub u64);

impl Construct for Mark {
    fn construct() -> impl PinInit<Self> {
        Mark(7)
    }
}

impl Reset for Mark {
    fn reset(mut self: Pin<&mut Self>) {
        self.0 = 7;
    }
}

kalloc::sites! {
    /// Memory without code of any module.
    pub Words: kmalloc(u64), "owner_word";
    /// A cache without a constructor.
    pub Objects: cache(u64), "owner_object";
    /// A cache with a constructor.
    pub Marks: cache(Mark), "owner_mark";
    /// A cache that is type-safe by RCU.
    pub Conns: cache(TypesafeByRcu<(), u64>), "owner_conn";
}

/// Sites that are never registered.
pub mod late {
    kalloc::sites! {
        #![manual]
        /// A site of kmalloc.
        pub Others: kmalloc(u64), "owner_other";
    }
}

struct Owner;

impl kernel::Module for Owner {
    fn init(module: &'static ThisModule) -> Result<Self> {
        kalloc::register(module, SITES)?;
        Ok(Owner)
    }
}
