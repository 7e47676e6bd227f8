// SPDX-License-Identifier: GPL-2.0-only

//! Names and sizes of caches that the kernel warns about.

use super::{
    Aligned as AlignedSite,
    Giants,
    MadeGiants,
    OnPages as OnPagesSite, //
};
use crate::attack::Attacker;
use kalloc::{
    slab::{
        Construct,
        ConstructedCache,
        Options,
        Reset,
        SlabSite, //
    }, //
    KmemCache,
};
use kernel::prelude::*;

/// A constructed object as large as kmalloc's largest class.
pub(crate) struct Giant {
    bytes: [u8; 4 << 20],
}

impl Construct for Giant {
    fn construct() -> impl PinInit<Self> {
        pin_init::init!(Giant { bytes <- pin_init::init_zeroed() })
    }
}

impl Reset for Giant {
    fn reset(self: Pin<&mut Self>) {}
}

/// An object with an alignment above a page.
#[repr(align(8192))]
#[derive(Zeroable)]
pub(crate) struct Aligned(#[expect(dead_code)] u8);

/// An object with the alignment of a page.
#[repr(align(4096))]
#[derive(Zeroable)]
pub(crate) struct OnPages(#[expect(dead_code)] u8);

mod named {
    kalloc::sites! {
        pub(crate) Here: cache([u64; 4]), ".";
        pub(crate) Above: cache([u64; 5]), "..";
        pub(crate) Dots: cache([u64; 6]), "...";
        pub(crate) Format: cache([u64; 7]), "%s%n%p%d";
        pub(crate) Mark: cache([u64; 7]), "!%s\\$(x)'";
        pub(crate) Kernels: cache([u64; 8]), "kmalloc-64";
    }
}

/// Creates a cache of a site, and returns the error, if any.
fn error_of<S: SlabSite>() -> Option<Error> {
    KmemCache::<S>::new(Options::new()).err()
}

/// Creates caches with unusual names. A cache has a directory with its name in `/sys`; sites of
/// other families may have any name.
pub(super) fn names(attacker: &Attacker) -> Result {
    // Names that are invalid for a directory are rejected at registration, or when the cache is
    // created.
    match kalloc::register(attacker.module, named::SITES) {
        Err(error) => holds!(error == EINVAL),
        Ok(()) => {
            holds!(error_of::<named::Here>() == Some(EINVAL));
            holds!(error_of::<named::Above>() == Some(EINVAL));
            holds!(error_of::<named::Dots>().is_none());
            holds!(error_of::<named::Format>().is_none());
            holds!(error_of::<named::Mark>().is_none());
            holds!(error_of::<named::Kernels>() == Some(EEXIST));
        }
    }
    Ok(())
}

/// Creates caches of objects of 4 MiB. Together with the kernel's metadata they must fit, or the
/// creation fails.
pub(super) fn giants(_: &Attacker) -> Result {
    match KmemCache::<Giants>::new(Options::new()) {
        Ok(cache) => drop(cache.reserve(GFP_KERNEL | __GFP_NOWARN)),
        Err(error) => holds!(error == EINVAL),
    }
    match ConstructedCache::<MadeGiants>::new(Options::new()) {
        Ok(cache) => drop(cache.alloc(GFP_KERNEL | __GFP_NOWARN)),
        Err(error) => holds!(error == EINVAL),
    }
    Ok(())
}

/// Creates caches of objects with the alignment of a page, and with a larger one.
pub(super) fn alignments(_: &Attacker) -> Result {
    match KmemCache::<AlignedSite>::new(Options::new()) {
        Ok(cache) => {
            for _ in 0..20 {
                let object = cache.zeroed(GFP_KERNEL)?;
                holds!(core::ptr::from_ref(&*object).addr() % 8192 == 0);
            }
        }
        Err(error) => holds!(error == EINVAL),
    }
    let cache = KmemCache::<OnPagesSite>::new(Options::new())?;
    let mut objects = KVec::new();
    for _ in 0..20 {
        let object = cache.zeroed(GFP_KERNEL)?;
        holds!(core::ptr::from_ref(&*object).addr() % 4096 == 0);
        objects.push(object, GFP_KERNEL)?;
    }
    Ok(())
}
