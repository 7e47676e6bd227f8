// SPDX-License-Identifier: GPL-2.0

//! The line on which a site is declared.
//!
//! All that a macro makes is on the line of its call, says the compiler: `line!()` is the same for
//! each site of a [`sites!`](crate::sites) block. What the caller wrote keeps its own place,
//! though, if it stands alone. So the word for the allocator family is evaluated: it names a
//! [`LocationToken`] here, whose dereferencing, written by nobody, is a call from where the word is.

use core::{
    ops::Deref,
    panic::Location, //
};

/// What knows where it was written.
pub trait SiteLocation {
    /// The place.
    fn location() -> &'static Location<'static>;
}

/// The value of a word for a family.
pub struct LocationToken(());

impl Deref for LocationToken {
    type Target = Location<'static>;

    #[track_caller]
    #[inline(always)]
    fn deref(&self) -> &Location<'static> {
        Location::caller()
    }
}

/// Where a [`LocationToken`] is given, it is dereferenced to its place.
#[inline(always)]
pub fn coerce(location: &'static Location<'static>) -> &'static Location<'static> {
    location
}

/// The tokens, as in [`family`](crate::accounting::family).
#[allow(non_upper_case_globals)]
pub mod tokens {
    use super::LocationToken;

    /// kmalloc.
    pub static kmalloc: &LocationToken = &LocationToken(());
    /// kvmalloc.
    pub static kvmalloc: &LocationToken = &LocationToken(());
    /// vmalloc.
    pub static vmalloc: &LocationToken = &LocationToken(());
    /// Slab caches.
    pub static cache: &LocationToken = &LocationToken(());
    /// Page blocks.
    pub static pages: &LocationToken = &LocationToken(());
}
