// SPDX-License-Identifier: GPL-2.0-only

//! A driver with several blocks of sites: in one scope, in other files' modules and in a function,
//! of private and of generic types. It registers none of them.

use kalloc::{
    KVec,
    KmemCache,
    Tag, //
};
use kernel::prelude::*;

module! {
    type: Driver,
    name: "every_site",
    authors: ["The kalloc authors"],
    description: "Sites wherever the language allows them, for the tests of kalloc",
    license: "GPL",
}

/// A range with private data of any type.
struct Range<T>(T);

kalloc::sites! {
    Names: kmalloc([u8]), "every_name";
}

kalloc::sites! {
    static RANGES;
    Ranges<T>: kmalloc([Range<T>]), "every_range";
}

mod other {
    use kernel::prelude::*;

    /// A type that only this module names.
    struct Secret(u64);

    kalloc::sites! {
        Secrets: kmalloc(Secret), "every_secret";
        pub(super) Objects: cache(u64), "every_object";
    }

    /// Allocates at a private site.
    pub(super) fn secret() -> Result<u64> {
        Ok(kalloc::KBox::<Secret, Secrets>::new(Secret(1), GFP_KERNEL)?.0)
    }
}

struct Driver {
    _bytes: KVec<Range<u8>, Ranges<u8>>,
    _words: KVec<Range<u64>, Ranges<u64>>,
    _names: KVec<u8, Names>,
}

impl kernel::Module for Driver {
    fn init(module: &'static ThisModule) -> Result<Self> {
        kalloc::sites! {
            Inner: pages, "every_inner";
        }
        let registered = [
            Names::site(),
            Ranges::<()>::site(),
            other::Objects::site(),
            Inner::site(),
        ]
        .iter()
        .all(|site| site.is_registered());
        // A second registration changes nothing.
        kalloc::register(module, RANGES)?;
        let cache = KmemCache::<other::Objects>::new(kalloc::slab::Options::new())?;
        let object = cache.alloc(other::secret()?, GFP_KERNEL)?;
        if !registered || *object != 1 {
            return Err(EDOM);
        }
        Ok(Driver {
            _bytes: KVec::with_capacity(100, GFP_KERNEL)?,
            _words: KVec::with_capacity(100, GFP_KERNEL)?,
            _names: KVec::with_capacity(10, GFP_KERNEL)?,
        })
    }
}
