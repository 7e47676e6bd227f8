// SPDX-License-Identifier: GPL-2.0-only

//! The JSON format of a snapshot: one object, for other programs and for later comparison.
//!
//! The members `live`, `objects`, `object_size`, `slabs` and `bytes` of a row, and the totals, are
//! computed from the rest. They simplify queries with jq; the parser ignores them.

use crate::{
    ParseError,
    Row,
    Site,
    Slab,
    Snapshot,
    Totals, //
};
use serde::{
    ser::SerializeMap,
    Deserialize,
    Serialize,
    Serializer, //
};

/// The identifier of the format, which distinguishes a snapshot from a line of sites.json.
const FORMAT: &str = "kalloctop-1";
const START: &str = "{\"format\":";

#[derive(Deserialize)]
struct Read {
    format: String,
    taken_ms: Option<u64>,
    page_size: u64,
    rows: Vec<ReadRow>,
}

#[derive(Deserialize)]
struct ReadRow {
    name: String,
    slab: Option<Slab>,
    site: Option<Site>,
}

#[derive(Serialize)]
struct Head {
    format: &'static str,
    taken_ms: Option<u64>,
    page_size: u64,
    totals: Totals,
}

/// Returns true if the text begins like a snapshot.
pub(crate) fn is_snapshot(text: &str) -> bool {
    text.starts_with(START)
}

/// Parses a snapshot.
pub(crate) fn parse(text: &str) -> Result<Snapshot, ParseError> {
    let read: Read = serde_json::from_str(text)
        .map_err(|error| ParseError::at(error.line(), error.to_string()))?;
    if read.format != FORMAT {
        let what = format!("a snapshot of format {:?}, not {FORMAT:?}", read.format);
        return Err(ParseError::at(1, what));
    }
    let parts = read
        .rows
        .into_iter()
        .map(|row| (row.name, row.slab, row.site));
    Ok(Snapshot {
        taken_ms: read.taken_ms,
        ..Snapshot::of_parts(parts, read.page_size)
    })
}

/// Returns the text of a snapshot, with one row per line.
pub(crate) fn text(snapshot: &Snapshot) -> String {
    let head = line(&Head {
        format: FORMAT,
        taken_ms: snapshot.taken_ms,
        page_size: snapshot.page_size,
        totals: snapshot.totals(),
    });
    let rows: Vec<String> = snapshot.rows.iter().map(line).collect();
    // The rows are the last member of the head's object.
    let head = head.trim_end_matches('}');
    format!("{head}}},\"rows\":[\n{}\n]}}\n", rows.join(",\n"))
}

fn line(value: &impl Serialize) -> String {
    // Serialization fails only for a map with keys other than strings. No map here has such keys.
    serde_json::to_string(value).unwrap_or_default()
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("live", &self.live())?;
        map.serialize_entry("objects", &self.objects())?;
        map.serialize_entry("object_size", &self.object_size())?;
        map.serialize_entry("slabs", &self.slabs())?;
        map.serialize_entry("bytes", &self.bytes())?;
        if let Some(slab) = &self.slab {
            map.serialize_entry("slab", slab)?;
        }
        if let Some(site) = &self.site {
            map.serialize_entry("site", site)?;
        }
        map.end()
    }
}
