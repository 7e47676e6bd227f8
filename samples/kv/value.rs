// SPDX-License-Identifier: GPL-2.0

//! Values: whole pages, which user space can map.

use kalloc::{
    mm::mmap::{
        self,
        Prepared, //
    }, //
    ExactPages,
    Gfp,
    PageCount,
    Tag,
};
use kernel::{
    mm::virt::VmaNew,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
    uaccess::UserSliceReader, //
};

kalloc::sites! {
    /// The pages of values.
    pub(crate) Values: pages, "kv_value";
}

/// Bytes of a value.
const MAX: usize = 64 << 10;
/// Bytes of all values together.
const ALL_MAX: u64 = 16 << 20;

/// A value. It never changes: a key gets another one.
///
/// Whoever has a reference to the pages keeps them: the key, a program that is reading it just now,
/// and each area of an address space that it is mapped in.
#[derive(Clone)]
pub(crate) struct Value {
    pages: Arc<ExactPages<Values>>,
    len: usize,
}

impl Value {
    /// Makes a value of what is in user space.
    ///
    /// The limit is for all pages that are allocated, and not only for what keys have: somebody might
    /// map a value, replace it, and so on. What is allocated, the site knows; `coming` is what others are
    /// allocating meanwhile, in bytes, which may take long.
    pub(crate) fn read(from: &mut UserSliceReader, coming: &Mutex<u64>) -> Result<Self> {
        let len = from.len();
        if len > MAX {
            return Err(E2BIG);
        }
        let count = PageCount::for_bytes(len.max(1))?;
        let bytes = count.bytes() as u64;
        let mut others = coming.lock();
        if Values::site().totals().live_bytes + *others + bytes > ALL_MAX {
            return Err(ENOSPC);
        }
        *others += bytes;
        drop(others);
        let pages = ExactPages::<Values, _>::uninit(count, Gfp::KERNEL_ACCOUNT | Gfp::NOWARN);
        *coming.lock() -= bytes;
        let pages = pages?.read_from(from).map_err(|(_, error)| error)?;
        Ok(Value {
            pages: Arc::new(pages, GFP_KERNEL_ACCOUNT)?,
            len,
        })
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.pages.get(..self.len).unwrap_or_default()
    }

    /// Prepares a mapping of the value, and of zeroes behind it up to the end of its last page.
    pub(crate) fn map<'a>(&self, vma: &'a VmaNew) -> Result<Prepared<'a>> {
        mmap::map(&self.pages, mmap::first_page(vma), vma)
    }
}
