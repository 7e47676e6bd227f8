// SPDX-License-Identifier: GPL-2.0-only

//! Sites with unusual names and types, in a file with an unusual name.

use crate::attack::Attacker;
use kalloc::{
    slab::Options, //
    KBox as CountedBox,
    KmemCache,
};
use kernel::prelude::*;

/// A type whose name contains characters that are no part of an identifier.
pub(crate) struct Wrapped<const C: char, T>(pub(crate) T);

/// Types of sites that no driver has.
pub(crate) mod types {
    /// A type with a lifetime, which appears in the name of a function type.
    pub(crate) struct Named<'a>(#[expect(dead_code)] pub(crate) &'a str);
    /// A trait for a trait object.
    pub(crate) trait Trait: Send + Sync {}
}

kalloc::sites! {
    pub(crate) Quoted: kmalloc(u64), "a'b\\c%s%n;|&$(x)`{}[],";
    pub(crate) Escaped: kmalloc(Wrapped<'"', Wrapped<'\\', Wrapped<'\n', Wrapped<'\u{1f600}', Wrapped<' ', Wrapped<'\u{7f}', u8>>>>>>), "b\\u0041";
    pub(crate) Function: kmalloc(fn(&str) -> Option<types::Named<'static>>), "....";
    pub(crate) Objects: kmalloc([KBox<dyn types::Trait>]), ",";
    pub(crate) Longest: pages, "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefghi";
    pub(crate) Cached: cache(Wrapped<'"', [u64; 4]>), "f'\\";
}

#[path = "odd\"file.rs"]
mod file;

/// Allocates at some of the sites, so that the files show more than zeroes.
pub(super) fn allocate(attacker: &Attacker) -> Result {
    kalloc::register(attacker.module, file::SITES)?;
    attacker.keep(CountedBox::<u64, Quoted>::new(1, GFP_KERNEL)?)?;
    attacker.keep(CountedBox::<u64, file::Odd>::new(1, GFP_KERNEL)?)?;
    let cache = KmemCache::<Cached>::new(Options::new())?;
    drop(cache.alloc(Wrapped([1; 4]), GFP_KERNEL)?);
    attacker.keep(cache)
}
