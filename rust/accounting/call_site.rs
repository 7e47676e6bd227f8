// SPDX-License-Identifier: GPL-2.0-only

//! The source line that declares a site.
//!
//! The compiler gives all tokens of a macro's expansion the line of its call: `line!()` is equal
//! for all sites of one [`sites!`](crate::sites) block. A token that the caller wrote keeps its own
//! location. The macro therefore evaluates the word for the allocator family: it names a
//! [`LocationToken`] here. The compiler inserts a dereference of the token, and this implicit call
//! has the location of the word.

use core::{
    ops::Deref,
    panic::Location, //
};

/// A type that returns the location of its declaration.
pub trait SiteLocation {
    /// Returns the location of the declaration.
    fn location() -> &'static Location<'static>;
}

/// The value of a word for an allocator family.
pub struct LocationToken(());

impl Deref for LocationToken {
    type Target = Location<'static>;

    #[track_caller]
    #[inline(always)]
    fn deref(&self) -> &Location<'static> {
        Location::caller()
    }
}

/// Coerces a [`LocationToken`] to its location, by an implicit dereference of the argument.
#[inline(always)]
pub fn coerce(location: &'static Location<'static>) -> &'static Location<'static> {
    location
}

/// The tokens: one for each word of [`family`](crate::accounting::family).
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
