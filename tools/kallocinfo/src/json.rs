// SPDX-License-Identifier: GPL-2.0-only

//! JSON in any formatting, and the JSON format of a snapshot: one object, for other programs and for
//! later comparison.
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
    de::{
        DeserializeOwned,
        IgnoredAny, //
    },
    ser::SerializeMap,
    Deserialize,
    Serialize,
    Serializer, //
};

/// The identifier of the format.
#[derive(Deserialize, Serialize)]
enum Format {
    #[serde(rename = "kalloctop-1")]
    One,
}

/// The member that distinguishes a snapshot from a site.
#[derive(Deserialize)]
struct Kind {
    format: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Read {
    #[serde(rename = "format")]
    _format: Format,
    taken_ms: Option<u64>,
    page_size: u64,
    #[serde(default)]
    notes: Vec<String>,
    rows: Vec<ReadRow>,
}

#[derive(Deserialize)]
struct ReadRow {
    name: String,
    slab: Option<Slab>,
    site: Option<Site>,
}

#[derive(Serialize)]
struct Head<'a> {
    format: Format,
    taken_ms: Option<u64>,
    page_size: u64,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    totals: Totals,
}

/// Returns true if the text is JSON.
pub(crate) fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// Parses a snapshot. Returns `None` if the text is JSON of another kind.
pub(crate) fn parse(text: &str) -> Result<Option<Snapshot>, ParseError> {
    match values::<Kind>(text, 1)?.first() {
        Some(Kind { format: Some(_) }) => (),
        _ => return Ok(None),
    }
    let mut all = values::<Read>(text, usize::MAX)?;
    let (Some(read), None) = (all.pop(), all.pop()) else {
        return Err(ParseError::at(1, "several snapshots, not one"));
    };
    let parts = read
        .rows
        .into_iter()
        .map(|row| (row.name, row.slab, row.site));
    Ok(Some(Snapshot {
        taken_ms: read.taken_ms,
        notes: read.notes,
        ..Snapshot::of_parts(parts, read.page_size)
    }))
}

/// Parses values one after the other, or in arrays. Stops after `most` values or arrays.
pub(crate) fn values<T: DeserializeOwned>(text: &str, most: usize) -> Result<Vec<T>, ParseError> {
    if text.trim_start().starts_with('[') {
        return Ok(stream::<Vec<T>>(text, most)?
            .into_iter()
            .flatten()
            .collect());
    }
    stream(text, most)
}

fn stream<T: DeserializeOwned>(text: &str, most: usize) -> Result<Vec<T>, ParseError> {
    let values = serde_json::Deserializer::from_str(text).into_iter();
    values
        .take(most)
        .map(|value| {
            value.map_err(|error| {
                let said = error.to_string();
                // The position is in the message a second time.
                let what = said
                    .rsplit_once(" at line ")
                    .map_or(&*said, |(what, _)| what);
                ParseError::at(error.line(), format!("column {}: {what}", error.column()))
            })
        })
        .collect()
}

/// Returns the text of a snapshot, with one row per line.
pub(crate) fn text(snapshot: &Snapshot) -> String {
    let head = line(&Head {
        format: Format::One,
        taken_ms: snapshot.taken_ms,
        page_size: snapshot.page_size,
        notes: &snapshot.notes,
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
