// SPDX-License-Identifier: GPL-2.0-only

//! The data of one cache or site, from one file or two.

use crate::{
    Site,
    Slab, //
};

/// The identifier of a row: its name, and the number of earlier rows of that name.
pub type Key = (String, u32);

/// A cache or site, with its slabinfo row, its line of sites.json, or both.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The name of the cache and of the site.
    pub name: String,
    /// The number of earlier rows of that name. The kernel allows two caches of one name.
    pub nth: u32,
    /// The row of slabinfo.
    pub slab: Option<Slab>,
    /// The line of sites.json.
    pub site: Option<Site>,
    pub(crate) page_size: u64,
}

impl Row {
    /// Returns the identifier of the row.
    pub fn key(&self) -> Key {
        (self.name.clone(), self.nth)
    }

    /// Returns true if the row is a watched call, or a group of such calls.
    pub fn is_watched(&self) -> bool {
        self.site.as_ref().is_some_and(Site::is_watched)
    }

    /// Returns the module of the row. Without a line of JSON, the name of a row of
    /// `/proc/kallocwatch` has it; for other rows, returns the name.
    pub fn module(&self) -> &str {
        match &self.site {
            Some(site) => &site.module,
            None => self.name.split_once('/').map_or(&self.name, |(it, _)| it),
        }
    }

    /// Returns the name without the offset of the call in its function. The name of a site that
    /// kalloc counts itself has none.
    pub fn function(&self) -> &str {
        match self.name.rsplit_once("+0x") {
            Some((function, offset))
                if function.contains('/') && offset.bytes().all(|it| it.is_ascii_hexdigit()) =>
            {
                function
            }
            _ => &self.name,
        }
    }

    /// Returns the number of allocated objects.
    pub fn live(&self) -> u64 {
        match (&self.slab, &self.site) {
            (Some(slab), _) => slab.active_objs,
            (None, Some(site)) => site.live,
            (None, None) => 0,
        }
    }

    /// Returns the number of objects for which the slabs have room.
    pub fn objects(&self) -> u64 {
        self.slab.as_ref().map_or(self.live(), |slab| slab.num_objs)
    }

    /// Returns the bytes that an object takes; the mean if sizes vary.
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

    /// Returns the number of slabs.
    pub fn slabs(&self) -> u64 {
        self.slab.as_ref().map_or(0, |slab| slab.num_slabs)
    }

    /// Returns the bytes of the slabs' pages. For a site without a slabinfo row, returns the bytes
    /// that its live blocks take.
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

    /// Returns the numbers of blocks allocated and freed so far, or `None` without a line of
    /// sites.json.
    pub fn events(&self) -> Option<(u64, u64)> {
        self.site.as_ref().map(|site| (site.allocs, site.frees))
    }
}
