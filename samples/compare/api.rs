// SPDX-License-Identifier: GPL-2.0-only

//! The APIs whose blocks can have any size, behind one trait for the probes.

#![deny(unsafe_code)]

use super::{
    claims,
    sites::{
        FreeBlocks,
        Kmallocs,
        PageBlocks,
        Vmallocs, //
    }, //
};
use core::{
    mem::MaybeUninit,
    ops::DerefMut, //
};
use kalloc::{
    alloc::{
        kmalloc,
        vmalloc, //
    },
    mm::page_info, //
    Array,
    FreePages,
    KVec as CountedVec,
    Kmalloc,
    Order,
    Pages,
    Site,
    Tag,
    VVec,
    Vmalloc,
};
use kernel::{
    alloc::Flags,
    page::PAGE_SIZE,
    prelude::*, //
};

/// An API, as the probes use it.
pub(crate) trait Api {
    /// The name of the API in the table.
    const NAME: &'static str;

    /// A zeroed block, of at least the requested size.
    type Block: DerefMut<Target = [u8]>;

    /// Allocates a zeroed block for `size` bytes. Returns `None` if the allocation fails.
    fn zeroed(size: usize, flags: Flags) -> Option<Self::Block>;

    /// Returns the bytes that the allocator has reserved for a block.
    fn set_aside(block: &Self::Block) -> Result<usize>;

    /// Returns the size of the largest possible block.
    fn limit() -> usize;

    /// Returns the site that counts the blocks.
    fn site() -> &'static Site;

    /// Allocates and frees a page's worth of bytes, without writing to them.
    fn pair() -> Result;
}

/// The API `vmalloc`, `vfree`.
pub(crate) enum VmallocApi {}

impl Api for VmallocApi {
    const NAME: &'static str = claims::VMALLOC;
    type Block = Array<u8, Vmalloc<Vmallocs>>;

    fn zeroed(size: usize, flags: Flags) -> Option<Self::Block> {
        Array::zeroed(size, flags).ok()
    }

    fn set_aside(block: &Self::Block) -> Result<usize> {
        page_info::mapped(block)
    }

    fn limit() -> usize {
        vmalloc::max_size()
    }

    fn site() -> &'static Site {
        Vmallocs::site()
    }

    fn pair() -> Result {
        VVec::<u8, Vmallocs>::with_capacity(PAGE_SIZE, GFP_KERNEL)?;
        Ok(())
    }
}

/// The API `kmalloc`, `kcalloc`, `krealloc`, `kfree`.
pub(crate) enum KmallocApi {}

impl Api for KmallocApi {
    const NAME: &'static str = claims::KMALLOC;
    type Block = Array<u8, Kmalloc<Kmallocs>>;

    fn zeroed(size: usize, flags: Flags) -> Option<Self::Block> {
        Array::zeroed(size, flags).ok()
    }

    fn set_aside(block: &Self::Block) -> Result<usize> {
        Ok(kmalloc::block_size(block))
    }

    fn limit() -> usize {
        kmalloc::MAX_SIZE
    }

    fn site() -> &'static Site {
        Kmallocs::site()
    }

    fn pair() -> Result {
        CountedVec::<u8, Kmallocs>::with_capacity(PAGE_SIZE, GFP_KERNEL)?;
        Ok(())
    }
}

/// The API `__get_free_pages`, `free_pages`.
pub(crate) enum FreePagesApi {}

impl Api for FreePagesApi {
    const NAME: &'static str = claims::FREE_PAGES;
    type Block = FreePages<FreeBlocks>;

    fn zeroed(size: usize, flags: Flags) -> Option<Self::Block> {
        FreePages::zeroed(Order::for_bytes(size).ok()?, flags).ok()
    }

    fn set_aside(block: &Self::Block) -> Result<usize> {
        Ok(block.len())
    }

    fn limit() -> usize {
        Order::MAX.bytes()
    }

    fn site() -> &'static Site {
        FreeBlocks::site()
    }

    fn pair() -> Result {
        FreePages::<FreeBlocks, MaybeUninit<u8>>::uninit(Order::ZERO, GFP_KERNEL)?;
        Ok(())
    }
}

/// The API `alloc_pages`, `__free_pages`.
pub(crate) enum PagesApi {}

impl Api for PagesApi {
    const NAME: &'static str = claims::PAGES;
    type Block = Pages<PageBlocks>;

    fn zeroed(size: usize, flags: Flags) -> Option<Self::Block> {
        Pages::zeroed(Order::for_bytes(size).ok()?, flags).ok()
    }

    fn set_aside(block: &Self::Block) -> Result<usize> {
        Ok(block.len())
    }

    fn limit() -> usize {
        Order::MAX.bytes()
    }

    fn site() -> &'static Site {
        PageBlocks::site()
    }

    fn pair() -> Result {
        Pages::<PageBlocks, MaybeUninit<u8>>::uninit(Order::ZERO, GFP_KERNEL)?;
        Ok(())
    }
}
