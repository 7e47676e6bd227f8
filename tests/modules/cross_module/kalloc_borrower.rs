// SPDX-License-Identifier: GPL-2.0-only

//! Uses the sites of another module, `kalloc_owner.ko`, which outlives this one. Operations that
//! would leave a pointer to this module's code or data behind must fail. The module fails to load
//! if one of them succeeds.

use kalloc::{
    slab::{
        ConstructedCache,
        Options,
        RcuCache, //
    }, //
    KBox,
    KmemCache,
    Tag,
};
use kalloc_owner::{
    late,
    Conns,
    Marks,
    Objects,
    Words, //
};
use kernel::prelude::*;

module! {
    type: Borrower,
    name: "kalloc_borrower",
    authors: ["The kalloc authors"],
    description: "Uses another module's sites, for the tests of kalloc",
    license: "GPL",
}

struct Borrower;

impl kernel::Module for Borrower {
    fn init(module: &'static ThisModule) -> Result<Self> {
        // The constructors are code of this module, which instantiates them.
        let constructed = ConstructedCache::<Marks>::new(Options::new()).err();
        let typesafe = RcuCache::<Conns>::new(Options::new()).err();
        // The sites are static items of this module: they would stay registered after it is unloaded.
        let registered = kalloc::register(module, late::SITES).err();

        // Operations without a function of this module succeed.
        let word = KBox::<u64, Words>::new(1, GFP_KERNEL)?;
        let cache = KmemCache::<Objects>::new(Options::new())?;
        let object = cache.alloc(*word, GFP_KERNEL)?;
        let counted = Words::site().totals().live() == 1 && Objects::site().totals().live() == 1;
        let right = *object == 1 && counted && !late::Others::site().is_registered();

        pr_info!("constructed {constructed:?} typesafe {typesafe:?} registered {registered:?}\n");
        let refused = [constructed, typesafe, registered] == [Some(EINVAL); 3];
        (refused && right).then_some(Borrower).ok_or(EDOM)
    }
}
