// SPDX-License-Identifier: GPL-2.0-only

//! Parser of slabinfo, versions 2.0 and 2.1.
//!
//! Reference: slabinfo(5), and `mm/slab_common.c` of the kernel.
//!
//! A row consists of a name, five numbers, and two named groups of three numbers each: `: tunables`
//! and `: slabdata`. A header with `(statistics)` announces additional groups. The parser keeps
//! them unchanged.

use crate::{
    error::quoted,
    ParseError, //
};
use serde::{
    Deserialize,
    Serialize, //
};
use std::str::FromStr;

/// A row of slabinfo.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Slab {
    /// The name of the cache or site.
    pub name: String,
    /// Allocated objects.
    pub active_objs: u64,
    /// Objects for which the slabs have room.
    pub num_objs: u64,
    /// Bytes that an object takes.
    pub objsize: u64,
    /// Objects per slab.
    pub objperslab: u64,
    /// Pages per slab.
    pub pagesperslab: u64,
    /// Three settings of SLAB, the former allocator; 0 with SLUB.
    pub tunables: [u64; 3],
    /// Slabs with an allocated object.
    pub active_slabs: u64,
    /// All slabs.
    pub num_slabs: u64,
    /// Free objects in arrays that CPUs share.
    pub sharedavail: u64,
    /// The additional groups of a kernel with statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<String>,
}

/// The start of the first line.
pub(crate) const VERSION: &str = "slabinfo - version: ";
const STATISTICS: &str = " (statistics)";
const COLUMNS: &str = "# name";

/// Parses all rows of a file.
///
/// # Errors
///
/// Fails at the first line that violates the format.
pub(crate) fn parse(text: &str) -> Result<Vec<Slab>, ParseError> {
    let mut lines = text.split_inclusive('\n').zip(1..);
    let first = lines.next().map_or("", |(line, _)| line);
    let version = first
        .trim_end()
        .strip_prefix(VERSION)
        .ok_or_else(|| ParseError::at(1, format!("no slabinfo: {}", quoted(first.trim_end()))))?;
    let statistics = version.ends_with(STATISTICS);
    if !matches!(version.trim_end_matches(STATISTICS), "2.0" | "2.1") {
        let what = format!("version {} is not 2.0 or 2.1", quoted(version));
        return Err(ParseError::at(1, what));
    }
    match lines.next() {
        Some((line, _)) if line.starts_with(COLUMNS) => (),
        _ => return Err(ParseError::at(2, "no line with the names of columns")),
    }
    lines
        .map(|(line, number)| {
            let line = line
                .strip_suffix('\n')
                .ok_or("it is cut off: it has no end".to_owned());
            line.and_then(|line| row(line, statistics))
                .map_err(|what| ParseError::at(number, what))
        })
        .collect()
}

/// Parses one row. The error is a description without the line number.
fn row(line: &str, statistics: bool) -> Result<Slab, String> {
    let (objects, rest) = line
        .split_once(" : tunables ")
        .ok_or_else(|| format!("no tunables in {}", quoted(line)))?;
    let (tunables, rest) = rest
        .split_once(" : slabdata ")
        .ok_or_else(|| format!("no slabdata in {}", quoted(line)))?;
    let (slabdata, more) = match rest.split_once(" : ") {
        Some((slabdata, more)) if statistics => (slabdata, Some(more.trim_end().to_owned())),
        _ => (rest, None),
    };
    let (name, [active_objs, num_objs, objsize, objperslab, pagesperslab]) = named(objects)?;
    let (tunables, [active_slabs, num_slabs, sharedavail]) =
        (numbers(tunables)?, numbers(slabdata)?);
    Ok(Slab {
        name,
        active_objs,
        num_objs,
        objsize,
        objperslab,
        pagesperslab,
        tunables,
        active_slabs,
        num_slabs,
        sharedavail,
        statistics: more,
    })
}

/// Parses a name and five numbers. The name of a cache may contain blanks.
fn named(text: &str) -> Result<(String, [u64; 5]), String> {
    let mut rest = text.trim_end();
    let mut start = rest.len();
    for _ in 0..5 {
        rest = rest[..start].trim_end();
        start = rest
            .rfind(' ')
            .map(|blank| blank + 1)
            .ok_or_else(|| format!("no name and five numbers: {}", quoted(text)))?;
    }
    let name = rest[..start].trim_ascii_end();
    if name.is_empty() {
        return Err(format!("no name: {}", quoted(text)));
    }
    Ok((name.to_owned(), numbers(&text[start..])?))
}

/// Parses exactly `COUNT` numbers.
fn numbers<const COUNT: usize>(text: &str) -> Result<[u64; COUNT], String> {
    let found: Vec<u64> = text
        .split_ascii_whitespace()
        .map(number)
        .collect::<Result<_, _>>()?;
    found
        .try_into()
        .map_err(|_| format!("not {COUNT} numbers: {}", quoted(text)))
}

/// Parses a number that consists of digits only. `from_str` would also accept a sign.
fn number(word: &str) -> Result<u64, String> {
    if !word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{} is not a number", quoted(word)));
    }
    u64::from_str(word).map_err(|_| format!("{} is too large", quoted(word)))
}
