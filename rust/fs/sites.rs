// SPDX-License-Identifier: GPL-2.0

//! The text of `/sys/kernel/debug/kalloc/sites` and `sites.json`: all that is counted, a line for
//! each site. The first is to be read, and has a header line and columns of one word each; the
//! second has a JSON object a line.

use crate::{
    accounting::registry::{
        self,
        Record, //
        HEADER,
    },
    fs::seq_file::{
        Output,
        Records, //
    }, //
};
use kernel::fmt::{
    self,
    Write, //
};

/// The file to be read.
pub(crate) struct Text;

impl Records for Text {
    fn seek(&self, pos: u64) -> Option<u64> {
        registry::seek_row(pos)
    }

    fn show(&self, pos: u64, out: &mut Output) {
        if pos == HEADER {
            out.write(
                b"# name family unit live allocs frees no_memory no_wait invalid live_bytes \
                  live_allocated peak peak_bytes peak_allocated sizes module location type\n",
            );
        } else {
            // An output takes what it is given.
            registry::with(pos, |record| line(record, out).unwrap_or(()));
        }
    }
}

/// The file for programs.
pub(crate) struct Json;

impl Records for Json {
    fn seek(&self, pos: u64) -> Option<u64> {
        registry::seek(pos)
    }

    fn show(&self, pos: u64, out: &mut Output) {
        registry::with(pos, |record| object(record, out).unwrap_or(()));
    }
}

fn line(record: &Record<'_>, f: &mut Output) -> fmt::Result {
    let Record {
        site, totals, peak, ..
    } = record;
    write!(
        f,
        "{} {} {} {} {} {} {} {} {} {} {} {} {} {} ",
        site.name(),
        site.family(),
        site.unit(),
        totals.live(),
        totals.allocs,
        totals.frees,
        totals.failures.no_memory,
        totals.failures.no_wait,
        totals.failures.invalid,
        totals.live_bytes,
        totals.live_allocated,
        peak.live,
        peak.bytes,
        peak.allocated,
    )?;
    let mut separator = "";
    for sizes in site.sizes() {
        let live = sizes.allocs - sizes.frees;
        write!(f, "{separator}{}:{live}/{}", sizes.up_to, sizes.allocs)?;
        separator = ",";
    }
    if separator.is_empty() {
        f.write_char('-')?;
    }
    let location = site.location();
    write!(
        f,
        " {} {}:{} ",
        record.module,
        location.file(),
        location.line()
    )?;
    // Types such as `[u8; 4]` have blanks.
    for word in site.type_name().split_ascii_whitespace() {
        f.write_str(word)?;
    }
    f.write_char('\n')
}

fn object(record: &Record<'_>, f: &mut Output) -> fmt::Result {
    let Record {
        site, totals, peak, ..
    } = record;
    let location = site.location();
    write!(
        f,
        "{{\"name\":{},\"family\":{},\"type\":{},\"module\":\"{}\",\"file\":{},\"line\":{},\
         \"unit\":{},\"live\":{},\"allocs\":{},\"frees\":{},\
         \"failures\":{{\"no_memory\":{},\"no_wait\":{},\"invalid\":{}}},\
         \"live_bytes\":{},\"live_allocated\":{},\
         \"peak\":{},\"peak_bytes\":{},\"peak_allocated\":{},\"sizes\":[",
        Quoted(site.name()),
        Quoted(site.family()),
        Quoted(site.type_name()),
        record.module,
        Quoted(location.file()),
        location.line(),
        site.unit(),
        totals.live(),
        totals.allocs,
        totals.frees,
        totals.failures.no_memory,
        totals.failures.no_wait,
        totals.failures.invalid,
        totals.live_bytes,
        totals.live_allocated,
        peak.live,
        peak.bytes,
        peak.allocated,
    )?;
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

/// A JSON string.
struct Quoted<'a>(&'a str);

impl core::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}
