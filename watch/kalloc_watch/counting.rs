// SPDX-License-Identifier: GPL-2.0-only

//! Counting: the state that probes use, in any context, without a lock.

use crate::{
    blocks::{
        Block,
        Blocks,
        Key,
        Kind, //
    },
    sites::Sites,
    view::{
        CurrentView,
        View, //
    }, //
};
use kalloc::prelude::*;

/// The state of the probes.
pub(crate) struct Counting {
    pub(crate) blocks: Blocks,
    pub(crate) sites: Sites,
    pub(crate) view: CurrentView,
}

/// The kinds of allocations at a site, as bits.
pub(crate) mod kinds {
    pub(crate) const KMALLOC: u32 = 1;
    pub(crate) const CACHE: u32 = 2;
    pub(crate) const PAGES: u32 = 4;
    pub(crate) const VMALLOC: u32 = 8;
    pub(crate) const PERCPU: u32 = 16;
}

impl Counting {
    /// Allocates the state: a table of 2^`order` groups of blocks, and room for `sites` sites.
    pub(crate) fn new(order: u32, sites: usize) -> Result<Self> {
        Ok(Counting {
            blocks: Blocks::new(order)?,
            sites: Sites::new(sites)?,
            view: CurrentView::none(),
        })
    }

    /// Counts an allocation by a watched call.
    #[inline]
    pub(crate) fn allocated(
        &self,
        view: &View,
        caller: usize,
        address: usize,
        kind: Kind,
        size: usize,
        kinds: u32,
    ) {
        let Some(key) = Key::new(address, kind) else {
            return;
        };
        let Some(site) = self.sites.find(view, caller) else {
            return;
        };
        let (put, old) = self.blocks.put(key, Block { size, site });
        if let Some(old) = old {
            // Either no probe saw the free of this block, or an allocator has called another one,
            // and both were called by watched code. With a tail call, both have the same caller.
            if old.site == site && kind != Kind::Slab {
                if !put {
                    self.sites.lost(old.site, old.size);
                }
                return;
            }
            self.sites.freed(old.site, old.size, true);
        }
        self.sites.allocated(site, size, kinds, !put);
    }

    /// Counts an allocation of one of many blocks. Blocks that are in the table are older.
    pub(crate) fn allocated_in_bulk(
        &self,
        view: &View,
        caller: usize,
        address: usize,
        kind: Kind,
        size: usize,
        kinds: u32,
    ) {
        let Some(key) = Key::new(address, kind) else {
            return;
        };
        match self.blocks.take(key) {
            Some(old) if kind == Kind::Pages => {
                let (site, size) = (old.site, old.size);
                // Another block may have taken the place.
                if !self.blocks.put(key, old).0 {
                    self.sites.lost(site, size);
                }
                return;
            }
            Some(old) => self.sites.freed(old.site, old.size, true),
            None => {}
        }
        self.allocated(view, caller, address, kind, size, kinds);
    }

    /// Counts a free, if the block is in the table. `is_own` returns true if watched code calls it.
    #[inline(always)]
    pub(crate) fn freed(&self, address: usize, kind: Kind, is_own: impl Fn() -> bool) {
        if let Some(block) = Key::new(address, kind).and_then(|key| self.blocks.take(key)) {
            self.sites.freed(block.site, block.size, !is_own());
        }
    }
}
