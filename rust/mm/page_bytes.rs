// SPDX-License-Identifier: GPL-2.0-only

//! A page as a type.

use core::ops::{
    Deref,
    DerefMut, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    transmute::{
        AsBytes,
        FromBytes, //
    }, //
};

/// The bytes of one page, aligned to the page size.
///
/// A slab object is aligned as its type. An object of type `[PageBytes; 2]` is therefore
/// [mappable](crate::mm::mmap::Mappable), while one of type `[u8; 2 * PAGE_SIZE]` is not.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     mm::mmap::{Mappable, PageBytes},
///     slab::Options,
///     KmemCache,
/// };
/// use kernel::sync::Arc;
///
/// kalloc::sites! {
///     Tables: cache([PageBytes; 2]), "doc_frame";
/// }
///
/// let cache = Arc::new(KmemCache::<Tables>::new(Options::new())?, GFP_KERNEL)?;
/// let table = cache
///     .reserve_arc(GFP_KERNEL)?
///     .init(pin_init::init_zeroed::<[PageBytes; 2]>())?;
/// assert_eq!(table.pages()?, 2);
/// assert!(table
///     .iter()
///     .all(|frame| frame.iter().all(|&byte| byte == 0)));
/// # Ok::<(), Error>(())
/// ```
#[repr(C)]
#[cfg_attr(CONFIG_PAGE_SIZE_4KB, repr(align(4096)))]
#[cfg_attr(CONFIG_PAGE_SIZE_16KB, repr(align(16384)))]
#[cfg_attr(CONFIG_PAGE_SIZE_64KB, repr(align(65536)))]
#[derive(Zeroable)]
pub struct PageBytes([u8; PAGE_SIZE]);

const _: () = assert!(size_of::<PageBytes>() == PAGE_SIZE);

// SAFETY: The type consists of bytes without padding: its size is that of the array.
unsafe impl AsBytes for PageBytes {}
// SAFETY: The type consists of bytes, and every bit pattern is valid.
unsafe impl FromBytes for PageBytes {}

impl Deref for PageBytes {
    type Target = [u8; PAGE_SIZE];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for PageBytes {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}
