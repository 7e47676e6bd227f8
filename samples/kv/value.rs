// SPDX-License-Identifier: GPL-2.0-only

//! Values, in whole pages that user space can map.

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

/// The maximum bytes of a value.
const MAX: usize = 64 << 10;
/// The maximum bytes of all values together.
const ALL_MAX: u64 = 16 << 20;

/// A value. It never changes: setting a key replaces its value.
///
/// Each reference to the pages keeps them: that of the key, of a program that is reading the value,
/// and of each area of an address space that maps it.
#[derive(Clone)]
pub(crate) struct Value {
    pages: Arc<ExactPages<Values>>,
    len: usize,
}

impl Value {
    /// Reads a value from user space.
    ///
    /// The limit applies to all allocated pages, not only to those of the keys' values. A program
    /// could otherwise map a value, replace it, and so on. The site counts the allocated bytes.
    /// `coming` counts the bytes that other tasks are allocating, which may take long.
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
        // At the limit of the process's memory group, an allocation of this size that may wait has
        // the OOM killer end a process of the group.
        let no_wait = GFP_NOWAIT | (GFP_KERNEL_ACCOUNT & !GFP_KERNEL);
        Ok(Value {
            pages: Arc::new(pages, no_wait)?,
            len,
        })
    }

    /// Returns the bytes of the value.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.pages.get(..self.len).unwrap_or_default()
    }

    /// Prepares a mapping of the value, with zeroes from its end to the end of its last page.
    pub(crate) fn map<'a>(&self, vma: &'a VmaNew) -> Result<Prepared<'a>> {
        mmap::map(&self.pages, mmap::first_page(vma), vma)
    }
}
