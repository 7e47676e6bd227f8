// SPDX-License-Identifier: GPL-2.0

//! What is known of one cache or site, from one file or from two.

use crate::{
    Site,
    Slab, //
};

/// What tells a row from all others: its name, and how many of that name were before it.
pub type Key = (String, u32);

/// A cache or site. It has a slabinfo row, a line of sites, or both.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The name, which both have.
    pub name: String,
    /// How many rows of that name are before it: the kernel allows two caches of one name.
    pub nth: u32,
    /// What slabinfo says.
    pub slab: Option<Slab>,
    /// What sites.json says.
    pub site: Option<Site>,
    pub(crate) page_size: u64,
}

impl Row {
    /// What tells this row from all others.
    pub fn key(&self) -> Key {
        (self.name.clone(), self.nth)
    }

    /// Objects that are allocated.
    pub fn live(&self) -> u64 {
        match (&self.slab, &self.site) {
            (Some(slab), _) => slab.active_objs,
            (None, Some(site)) => site.live,
            (None, None) => 0,
        }
    }

    /// Objects that there is room for.
    pub fn objects(&self) -> u64 {
        self.slab.as_ref().map_or(self.live(), |slab| slab.num_objs)
    }

    /// Bytes that an object takes; the mean if sizes vary.
    pub fn object_size(&self) -> u64 {
        match (&self.slab, &self.site) {
            (Some(slab), _) => slab.objsize,
            (None, Some(site)) => site
                .live_allocated
                .checked_div(site.live)
                .unwrap_or(site.unit),
            (None, None) => 0,
        }
    }

    /// Slabs.
    pub fn slabs(&self) -> u64 {
        self.slab.as_ref().map_or(0, |slab| slab.num_slabs)
    }

    /// Bytes that it holds: its slabs' pages, or what its blocks take where only that is known.
    pub fn bytes(&self) -> u64 {
        match (&self.slab, &self.site) {
            (Some(slab), _) => slab
                .num_slabs
                .saturating_mul(slab.pagesperslab)
                .saturating_mul(self.page_size),
            (None, Some(site)) => site.live_allocated,
            (None, None) => 0,
        }
    }

    /// Blocks allocated and freed so far, where that is counted.
    pub fn events(&self) -> Option<(u64, u64)> {
        self.site.as_ref().map(|site| (site.allocs, site.frees))
    }
}
