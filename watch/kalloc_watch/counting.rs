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

/// The properties of an allocation.
#[derive(Clone, Copy)]
pub(crate) struct Allocation {
    pub(crate) kind: Kind,
    pub(crate) size: usize,
    pub(crate) kinds: u32,
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
    #[inline(always)]
    pub(crate) fn allocated(&self, view: &View, caller: usize, address: usize, new: Allocation) {
        let Some(key) = Key::new(address, new.kind) else {
            return;
        };
        let Some(site) = self.sites.find(view, caller) else {
            return;
        };
        let block = Block {
            size: new.size,
            site,
        };
        if self.blocks.put_new(key, block) {
            self.sites.allocated(site, new.size, new.kinds);
        } else {
            self.replaced(key, block, new);
        }
    }

    /// Counts an allocation whose key may be in the table, or has no place there.
    #[cold]
    #[inline(never)]
    fn replaced(&self, key: Key, block: Block, new: Allocation) {
        let (put, old) = self.blocks.put(key, block);
        if let Some(old) = old {
            // No probe saw the free of this block, or an allocator has called another one, and both
            // were called by watched code. Each block in the table is counted as freed once.
            self.sites.freed(old.site, old.size, true);
        }
        if put {
            self.sites.allocated(block.site, block.size, new.kinds);
        } else {
            self.sites.lost(block.site, block.size, new.kinds, 1);
        }
    }

    /// Counts allocations by a watched call whose blocks are not added to the table.
    #[cold]
    #[inline(never)]
    pub(crate) fn lost(&self, view: &View, caller: usize, count: usize, new: Allocation) {
        match self.sites.find(view, caller) {
            Some(site) => self.sites.lost(site, new.size, new.kinds, count),
            // The search has counted one of them.
            None => self.sites.add_unattributed(count.saturating_sub(1)),
        }
    }

    /// Counts a free, if the block is in the table. `is_own` returns true if watched code calls it.
    #[inline(always)]
    pub(crate) fn freed(&self, address: usize, kind: Kind, is_own: impl Fn() -> bool) {
        if let Some(block) = Key::new(address, kind).and_then(|key| self.blocks.take(key)) {
            self.sites.freed(block.site, block.size, !is_own());
        }
    }
}
