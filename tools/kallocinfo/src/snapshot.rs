// SPDX-License-Identifier: GPL-2.0-only

//! The contents of one reading of the files.

use crate::{
    json,
    slab,
    Key,
    ParseError,
    Row,
    Site,
    Slab, //
};
use serde::Serialize;
use std::collections::HashMap;

/// The rows of one reading, in the order of the files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The time of the reading in milliseconds since 1970, if it is known.
    pub taken_ms: Option<u64>,
    /// Bytes of a page of the machine that wrote the files.
    pub page_size: u64,
    /// The rows.
    pub rows: Vec<Row>,
    /// The limits of the numbers, in sentences for the user.
    pub notes: Vec<String>,
}

/// The sums of all rows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Totals {
    /// The number of rows.
    pub rows: u64,
    /// Allocated objects.
    pub live: u64,
    /// Objects for which the slabs have room.
    pub objects: u64,
    /// The number of slabs.
    pub slabs: u64,
    /// Bytes of the pages or blocks.
    pub bytes: u64,
    /// Blocks allocated so far, of the rows that count them.
    pub allocs: u64,
    /// Blocks freed so far, of the rows that count them.
    pub frees: u64,
    /// Failed allocations so far, of the rows that count them.
    pub failures: u64,
}

impl Snapshot {
    /// Parses slabinfo, sites.json, or the output of [`to_json`](Self::to_json).
    ///
    /// JSON may have any formatting: its values may be pretty-printed or in an array.
    ///
    /// # Errors
    ///
    /// Fails at the first line with a syntax error. An empty text is an error, because it has none
    /// of these formats.
    pub fn parse(text: &str, page_size: u64) -> Result<Self, ParseError> {
        let text = without_bom(text);
        if !json::is_json(text) {
            return Ok(Self::of(slab::parse(text)?, Vec::new(), page_size));
        }
        match json::parse(text)? {
            Some(snapshot) => Ok(snapshot),
            None => Ok(Self::of(Vec::new(), Self::parse_sites(text)?, page_size)),
        }
    }

    /// Parses the rows of a slabinfo file.
    ///
    /// # Errors
    ///
    /// Fails at the first line that violates the format.
    pub fn parse_slabs(text: &str) -> Result<Vec<Slab>, ParseError> {
        slab::parse(without_bom(text))
    }

    /// Parses the sites of a sites.json file in any formatting. An empty file has no sites.
    ///
    /// # Errors
    ///
    /// Fails at the first value that is not an object with the members of a site.
    pub fn parse_sites(text: &str) -> Result<Vec<Site>, ParseError> {
        json::values(without_bom(text), usize::MAX)
    }

    /// Combines the slabinfo row and the site of each name into one row.
    ///
    /// A name that only one file has also becomes a row. This happens if a module is loaded or
    /// unloaded between the two readings.
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
            notes: Vec::new(),
        }
    }

    /// Returns a snapshot with one row for each part.
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
            notes: Vec::new(),
        }
    }

    /// Appends the rows and the notes of the snapshot of another file.
    pub fn append(&mut self, other: Self) {
        let mut counts: HashMap<String, u32> = HashMap::new();
        for row in &self.rows {
            *counts.entry(row.name.clone()).or_default() += 1;
        }
        self.rows.extend(other.rows.into_iter().map(|row| Row {
            nth: row.nth + counts.get(&row.name).copied().unwrap_or(0),
            ..row
        }));
        self.notes.extend(other.notes);
    }

    /// Returns the sums of all rows.
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

    /// Returns true if any row has a line of sites.json.
    pub fn has_sites(&self) -> bool {
        self.rows.iter().any(|row| row.site.is_some())
    }

    /// Returns the snapshot as one JSON object, which [`parse`](Self::parse) accepts.
    pub fn to_json(&self) -> String {
        json::text(self)
    }
}

/// Returns the text without a byte order mark, which some editors and shells prepend.
fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The rows of a snapshot under construction.
#[derive(Default)]
struct Rows {
    rows: Vec<Row>,
    places: HashMap<Key, usize>,
    /// The number of rows so far of each name in the current file.
    counts: HashMap<String, u32>,
}

impl Rows {
    /// Returns the row for the next entry of this name: an existing row of the other file, or a new
    /// one.
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
