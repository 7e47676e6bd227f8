// SPDX-License-Identifier: GPL-2.0

//! Names and sizes of caches of which the kernel warns.

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

/// As large as kmalloc's largest class, and constructed.
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

/// Aligned to more than a page.
#[repr(align(8192))]
#[derive(Zeroable)]
pub(crate) struct Aligned(#[expect(dead_code)] u8);

/// Aligned to a page.
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

/// A cache of a site, or why there is none.
fn error_of<S: SlabSite>() -> Option<Error> {
    KmemCache::<S>::new(Options::new()).err()
}

/// A cache has a directory in `/sys`, which takes its name. Sites of other families may have any.
pub(super) fn names(attacker: &Attacker) -> Result {
    // Names that cannot be a directory's are refused with the sites, or with the caches.
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

/// Objects of 4 MiB: with the kernel's metadata they fit, or there is no cache.
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

/// Objects that are aligned to a page, and to more.
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
