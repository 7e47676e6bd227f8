// SPDX-License-Identifier: GPL-2.0-only

//! The text of `/sys/kernel/debug/kalloc/sites` and `sites.json`: all counters, one line per site.
//! The first has a header line, and columns of one word each. The second has a JSON object per
//! line.

use crate::{
    accounting::registry::{
        self,
        Record, //
        HEADER,
    },
    fs::{
        json::Quoted,
        seq_file::{
            SeqFile,
            SeqOps, //
        }, //
    }, //
};
use kernel::fmt::{
    self,
    Write, //
};

/// A number of a site: its name, and the function that returns its value. The name is a column of
/// the text and a key of the JSON.
type Field = (&'static str, fn(&Record<'_>) -> u64);

/// The numbers of a site, in the order of both files. A named group is an object with that key in
/// the JSON; the text has only columns.
const GROUPS: [(Option<&str>, &[Field]); 3] = [
    (
        None,
        &[
            // CAST: `usize` has 64 bits.
            ("unit", |r| r.site.unit() as u64),
            ("live", |r| r.totals.live()),
            ("allocs", |r| r.totals.allocs),
            ("frees", |r| r.totals.frees),
        ],
    ),
    (
        Some("failures"),
        &[
            ("no_memory", |r| r.totals.failures.no_memory),
            ("no_wait", |r| r.totals.failures.no_wait),
            ("invalid", |r| r.totals.failures.invalid),
        ],
    ),
    (
        None,
        &[
            ("live_bytes", |r| r.totals.live_bytes),
            ("live_allocated", |r| r.totals.live_allocated),
            ("peak", |r| r.peak.live),
            ("peak_bytes", |r| r.peak.bytes),
            ("peak_allocated", |r| r.peak.allocated),
        ],
    ),
];

/// Returns the numbers of all groups.
fn fields() -> impl Iterator<Item = &'static Field> {
    GROUPS.iter().flat_map(|(_, fields)| *fields)
}

/// The file for people.
pub(crate) struct Text;

impl SeqOps for Text {
    fn start(&self, pos: u64) -> Option<u64> {
        registry::seek_row(pos)
    }

    fn show(&self, pos: u64, out: &mut SeqFile) {
        // Writing to an `SeqFile` does not fail.
        if pos == HEADER {
            header(out).unwrap_or(());
        } else {
            registry::with(pos, |record| line(record, out).unwrap_or(()));
        }
    }
}

/// The file for programs.
pub(crate) struct Json;

impl SeqOps for Json {
    fn start(&self, pos: u64) -> Option<u64> {
        registry::seek(pos)
    }

    fn show(&self, pos: u64, out: &mut SeqFile) {
        registry::with(pos, |record| object(record, out).unwrap_or(()));
    }
}

/// Writes the names of the columns.
fn header(f: &mut SeqFile) -> fmt::Result {
    f.write_str("# name family")?;
    for (name, _) in fields() {
        write!(f, " {name}")?;
    }
    f.write_str(" sizes module location type\n")
}

/// Writes a site as a line of columns.
fn line(record: &Record<'_>, f: &mut SeqFile) -> fmt::Result {
    let site = record.site;
    write!(f, "{} {}", site.name(), site.family())?;
    for (_, value) in fields() {
        write!(f, " {}", value(record))?;
    }
    let mut separator = " ";
    for sizes in site.sizes() {
        let live = sizes.allocs - sizes.frees;
        write!(f, "{separator}{}:{live}/{}", sizes.up_to, sizes.allocs)?;
        separator = ",";
    }
    if separator == " " {
        f.write_str(" -")?;
    }
    let location = site.location();
    write!(
        f,
        " {} {}:{} ",
        site.module(),
        location.file(),
        location.line()
    )?;
    // Types such as `[u8; 4]` contain blanks.
    for word in site.type_name().split_ascii_whitespace() {
        f.write_str(word)?;
    }
    f.write_char('\n')
}

/// Writes a site as a JSON object.
fn object(record: &Record<'_>, f: &mut SeqFile) -> fmt::Result {
    let site = record.site;
    let location = site.location();
    write!(
        f,
        "{{\"name\":{},\"family\":{},\"type\":{},\"module\":\"{}\",\"file\":{},\"line\":{}",
        Quoted(site.name()),
        Quoted(site.family()),
        Quoted(site.type_name()),
        site.module(),
        Quoted(location.file()),
        location.line(),
    )?;
    for (group, fields) in GROUPS {
        let mut separator = ",";
        if let Some(group) = group {
            write!(f, ",\"{group}\":{{")?;
            separator = "";
        }
        for (name, value) in fields {
            write!(f, "{separator}\"{name}\":{}", value(record))?;
            separator = ",";
        }
        if group.is_some() {
            f.write_char('}')?;
        }
    }
    f.write_str(",\"sizes\":[")?;
    let mut separator = "";
    for sizes in site.sizes() {
        write!(
            f,
            "{separator}{{\"up_to\":{},\"allocs\":{},\"frees\":{}}}",
            sizes.up_to, sizes.allocs, sizes.frees
        )?;
        separator = ",";
    }
    f.write_str("],\"cpus\":[")?;
    let mut separator = "";
    for on in site.cpus() {
        write!(
            f,
            "{separator}{{\"cpu\":{},\"allocs\":{},\"frees\":{}}}",
            on.cpu, on.allocs, on.frees
        )?;
        separator = ",";
    }
    f.write_str("]}\n")
}
