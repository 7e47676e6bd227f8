// SPDX-License-Identifier: GPL-2.0

//! What one reading of the files said.

use crate::{
    json,
    site,
    slab,
    Key,
    ParseError,
    Row,
    Site,
    Slab, //
};
use serde::Serialize;
use std::collections::HashMap;

/// All rows, in the files' order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// When it was taken, in milliseconds since 1970, if anybody wrote it down.
    pub taken_ms: Option<u64>,
    /// Bytes of a page where it was taken.
    pub page_size: u64,
    /// The rows.
    pub rows: Vec<Row>,
}

/// The sums of all rows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Totals {
    /// Rows.
    pub rows: u64,
    /// Objects that are allocated.
    pub live: u64,
    /// Objects that there is room for.
    pub objects: u64,
    /// Slabs.
    pub slabs: u64,
    /// Bytes that they hold.
    pub bytes: u64,
    /// Blocks allocated so far, where that is counted.
    pub allocs: u64,
    /// Blocks freed so far, where that is counted.
    pub frees: u64,
    /// Allocations that failed so far, where that is counted.
    pub failures: u64,
}

impl Snapshot {
    /// Reads a text of whichever kind: slabinfo, sites.json, or what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    ///
    /// The first line that cannot be read. An empty text is one, since it is of no kind.
    pub fn parse(text: &str, page_size: u64) -> Result<Self, ParseError> {
        match text.as_bytes().first() {
            Some(b'{') if json::is_snapshot(text) => json::parse(text),
            Some(b'{') => Ok(Self::of(Vec::new(), site::parse(text)?, page_size)),
            _ => Ok(Self::of(slab::parse(text)?, Vec::new(), page_size)),
        }
    }

    /// The rows of a slabinfo file.
    ///
    /// # Errors
    ///
    /// The first line that is not as the format has it.
    pub fn parse_slabs(text: &str) -> Result<Vec<Slab>, ParseError> {
        slab::parse(text)
    }

    /// The sites of a sites.json file; an empty one has none.
    ///
    /// # Errors
    ///
    /// The first line that is not one object with what a site has.
    pub fn parse_sites(text: &str) -> Result<Vec<Site>, ParseError> {
        site::parse(text)
    }

    /// Puts together what two files say of one name. What only one of them has, since a module came or
    /// went between the two readings, is a row as well.
    pub fn of(slabs: Vec<Slab>, sites: Vec<Site>, page_size: u64) -> Self {
        let mut rows = Rows::default();
        for slab in slabs {
            let row = rows.next(&slab.name, page_size);
            row.slab = Some(slab);
        }
        rows.counts.clear();
        for site in sites {
            let row = rows.next(&site.name, page_size);
            row.site = Some(site);
        }
        Self {
            taken_ms: None,
            page_size,
            rows: rows.rows,
        }
    }

    /// The rows of these parts, one each.
    pub(crate) fn of_parts(
        parts: impl IntoIterator<Item = (String, Option<Slab>, Option<Site>)>,
        page_size: u64,
    ) -> Self {
        let mut rows = Rows::default();
        for (name, slab, site) in parts {
            let row = rows.next(&name, page_size);
            (row.slab, row.site) = (slab, site);
        }
        Self {
            taken_ms: None,
            page_size,
            rows: rows.rows,
        }
    }

    /// The sums of all rows.
    pub fn totals(&self) -> Totals {
        let mut sums = Totals::default();
        for row in &self.rows {
            let add = |sum: &mut u64, value: u64| *sum = sum.saturating_add(value);
            add(&mut sums.rows, 1);
            add(&mut sums.live, row.live());
            add(&mut sums.objects, row.objects());
            add(&mut sums.slabs, row.slabs());
            add(&mut sums.bytes, row.bytes());
            if let Some(site) = &row.site {
                add(&mut sums.allocs, site.allocs);
                add(&mut sums.frees, site.frees);
                add(&mut sums.failures, site.failures.all());
            }
        }
        sums
    }

    /// Whether any row says how much was allocated and freed.
    pub fn has_sites(&self) -> bool {
        self.rows.iter().any(|row| row.site.is_some())
    }

    /// One JSON object with everything, which [`parse`](Self::parse) reads.
    pub fn to_json(&self) -> String {
        json::text(self)
    }
}

/// Rows on the way to a snapshot.
#[derive(Default)]
struct Rows {
    rows: Vec<Row>,
    places: HashMap<Key, usize>,
    /// How many of each name the file that is being read has had.
    counts: HashMap<String, u32>,
}

impl Rows {
    /// The row for the next of this name: one that another file has made, or a new one.
    fn next(&mut self, name: &str, page_size: u64) -> &mut Row {
        let count = self.counts.entry(name.to_owned()).or_default();
        let nth = *count;
        *count += 1;
        let end = self.rows.len();
        let place = *self.places.entry((name.to_owned(), nth)).or_insert(end);
        if place == end {
            self.rows.push(Row {
                name: name.to_owned(),
                nth,
                slab: None,
                site: None,
                page_size,
            });
        }
        &mut self.rows[place]
    }
}
