// SPDX-License-Identifier: GPL-2.0-only

//! Observed properties of an API's blocks: their alignment, and their location.

#![deny(unsafe_code)]

use super::{
    table::Table,
    value::{
        Value,
        Zones, //
    }, //
};
use kalloc::{
    mm::{
        address_space,
        page_info, //
    }, //
    Zone,
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// The common properties of all checked blocks.
pub(crate) struct Seen {
    /// The alignment of all addresses.
    alignment: usize,
    /// A flag: each block was aligned to the largest power of two that divides its size.
    by_size: bool,
    /// A flag: the page frames of every block were contiguous.
    contiguous: bool,
    /// A flag: there was a block of several pages.
    several: bool,
    /// The zones that memory for the flags may come from.
    zones: Zones,
    /// The area of the first block, and whether all blocks were in it.
    area: Option<address_space::Area>,
    one_area: bool,
}

impl Seen {
    /// Returns a value without blocks. The blocks' memory may come from the zones in `of`.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`] if there is not enough memory.
    pub(crate) fn nothing(of: impl Iterator<Item = Zone>) -> Result<Self> {
        let mut zones = KVec::new();
        for zone in of {
            zones.push(zone.name(), GFP_KERNEL)?;
        }
        Ok(Seen {
            alignment: usize::MAX,
            by_size: true,
            contiguous: true,
            several: false,
            zones,
            area: None,
            one_area: true,
        })
    }

    /// Checks a block for which the allocator has reserved `size` bytes.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if a byte of the block is in no page.
    /// - [`EIO`] if a byte is in an unexpected zone.
    pub(crate) fn look_at(&mut self, block: &[u8], size: usize) -> Result {
        let start = block.as_ptr().addr();
        let dividing = |n: usize| 1 << n.trailing_zeros();
        self.alignment = self.alignment.min(dividing(start));
        self.by_size &= start % dividing(size) == 0;

        let area = *self
            .area
            .get_or_insert_with(|| address_space::area_of(start));
        let last = start + (block.len() - 1);
        self.one_area &= area.contains(start) && area.contains(last);

        let mut expected = None;
        for offset in (0..block.len()).step_by(PAGE_SIZE) {
            let pfn = page_info::pfn_of(block, offset)?;
            if let Some(expected) = expected {
                self.several = true;
                self.contiguous &= pfn == expected;
            }
            expected = Some(pfn + 1);
            let zone = page_info::zone_of(block, offset)?;
            if !self
                .zones
                .iter()
                .any(|name| zone.to_bytes() == name.as_bytes())
            {
                return Err(EIO);
            }
        }
        Ok(())
    }

    /// Adds the observed properties to the table.
    pub(crate) fn report(self, table: &mut Table, api: &'static str) -> Result {
        // Outside the direct map, pages may be contiguous by chance.
        let direct = self.one_area
            && self
                .area
                .is_some_and(|area| area.name() == address_space::DIRECT_MAP);
        let contiguous = match self.several && (direct || !self.contiguous) {
            true => Value::Flag(self.contiguous),
            false => Value::Unknown,
        };
        let region = match self.area {
            Some(area) if self.one_area => Value::Area(area.name()),
            _ => Value::Unknown,
        };
        table.add(api, "contiguous", contiguous)?;
        table.add(api, "alignment", Value::Bytes(self.alignment))?;
        table.add(api, "aligned_to_size", Value::Flag(self.by_size))?;
        table.add(api, "zones", Value::Zones(self.zones))?;
        table.add(api, "region", region)
    }
}
