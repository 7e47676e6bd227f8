// SPDX-License-Identifier: GPL-2.0-only

//! The files: `/proc/kallocwatch`, and `watch` and `watch.json` in `/sys/kernel/debug/kalloc/`.

use crate::{
    counting::kinds,
    list::{
        SiteRecord,
        WatchList, //
    },
    names::Grouping,
    rows::By,
    sites::Totals, //
};
use kalloc::{
    fs::{
        debugfs::WriteOps,
        json::Quoted,
        seq_file::{
            SeqFile,
            SeqOps, //
        },
        slabinfo, //
    },
    prelude::*,
    trace::{
        self,
        symbol, //
    }, //
};
use kernel::{
    fmt::{
        self,
        Write, //
    },
    str::CString,
    sync::Arc, //
};

const PAGE_SIZE: u64 = kernel::page::PAGE_SIZE as u64;

/// Returns a position of a file as an index.
fn index(pos: u64) -> Option<usize> {
    usize::try_from(pos).ok()
}

/// The table in the format of slabinfo.
pub(crate) struct Table(pub(crate) Arc<WatchList>);

impl SeqOps for Table {
    fn start(&self, pos: u64) -> Option<u64> {
        match pos {
            0 => Some(0),
            pos => self
                .0
                .seek(index(pos - 1)?, By::Shown)
                .map(|row| row as u64 + 1),
        }
    }

    fn show(&self, pos: u64, out: &mut SeqFile) {
        match pos.checked_sub(1).and_then(index) {
            None => slabinfo::header(out),
            Some(head) => {
                self.0
                    .with_row(head, |row| shape(&row.totals).show(row.name, out));
            }
        }
    }
}

/// Returns the row of a site. Its slabs are the pages that the live blocks would take alone.
fn shape(totals: &Totals) -> slabinfo::Row {
    let live = totals.live();
    let size = totals.bytes.div_ceil(live.max(1)).max(1);
    let object_size = if live > 0 { size } else { totals.size.max(1) };
    let per_slab = (PAGE_SIZE / object_size).max(1);
    let slabs = live.div_ceil(per_slab);
    slabinfo::Row {
        objects: live,
        capacity: slabs * per_slab,
        object_size,
        objects_per_slab: per_slab,
        pages_per_slab: (object_size * per_slab).div_ceil(PAGE_SIZE),
        slabs,
    }
}

/// All counters, a JSON object per site.
pub(crate) struct Json(pub(crate) Arc<WatchList>);

impl SeqOps for Json {
    fn start(&self, pos: u64) -> Option<u64> {
        self.0.seek(index(pos)?, By::Site).map(|site| site as u64)
    }

    fn show(&self, pos: u64, out: &mut SeqFile) {
        if let Some(site) = index(pos) {
            // Writing to an `SeqFile` does not fail.
            self.0
                .with_site(site, |record| object(record, out).unwrap_or(()));
        }
    }
}

/// Writes a site as a JSON object, with the members of `sites.json`, and others after them.
fn object(record: &SiteRecord<'_>, f: &mut SeqFile) -> fmt::Result {
    let totals = &record.totals;
    write!(
        f,
        "{{\"name\":{},\"family\":\"{}\",\"type\":\"\",\"module\":{},\"file\":\"\",\"line\":0,\"unit\":0",
        Quoted(record.name.as_str()),
        family(totals.kinds),
        Quoted(record.label.module()),
    )?;
    numbers(
        f,
        &[
            ("live", totals.live()),
            ("allocs", totals.allocs),
            ("frees", totals.frees),
        ],
    )?;
    f.write_str(",\"failures\":{\"no_memory\":0,\"no_wait\":0,\"invalid\":0}")?;
    let milliseconds = |ticks: u64| {
        let age = trace::ticks().saturating_sub(ticks);
        age.saturating_mul(1000) / trace::TICKS_PER_SECOND
    };
    numbers(
        f,
        &[
            ("live_bytes", totals.bytes),
            ("live_allocated", totals.bytes),
            ("peak", totals.peak),
            ("peak_bytes", totals.peak_bytes),
            ("peak_allocated", totals.peak_bytes),
            ("frees_elsewhere", totals.elsewhere),
            ("lost", totals.lost),
            ("first_use_ms_ago", milliseconds(totals.first)),
            ("last_use_ms_ago", milliseconds(totals.last)),
        ],
    )?;
    write!(
        f,
        ",\"function\":{},\"offset\":{},\"section\":\"{}\",\"at\":{},\"loaded\":{},\"sizes\":[",
        Quoted(record.label.function()),
        record.label.offset,
        record.section,
        record.at,
        record.is_loaded,
    )?;
    let mut separator = "";
    for (range, &(allocs, frees)) in totals.sizes.iter().enumerate() {
        if allocs != 0 {
            let up_to = match range + 1 < totals.sizes.len() {
                true => 8u64 << range,
                false => u64::MAX >> 11,
            };
            write!(
                f,
                "{separator}{{\"up_to\":{up_to},\"allocs\":{allocs},\"frees\":{frees}}}"
            )?;
            separator = ",";
        }
    }
    f.write_str("]}\n")
}

/// Writes numbers as members of a JSON object.
fn numbers(f: &mut SeqFile, members: &[(&str, u64)]) -> fmt::Result {
    for (name, value) in members {
        write!(f, ",\"{name}\":{value}")?;
    }
    Ok(())
}

/// Returns the name of the allocators that a site calls.
fn family(bits: u32) -> &'static str {
    const KVMALLOC: u32 = kinds::KMALLOC | kinds::VMALLOC;
    match bits {
        kinds::KMALLOC => "kmalloc",
        kinds::CACHE => "cache",
        kinds::PAGES => "pages",
        kinds::VMALLOC => "vmalloc",
        KVMALLOC => "kvmalloc",
        kinds::PERCPU => "percpu",
        _ => "mixed",
    }
}

/// The watch list, which commands change.
pub(crate) struct Watch(pub(crate) Arc<WatchList>);

impl SeqOps for Watch {
    fn start(&self, pos: u64) -> Option<u64> {
        // The header, the entries, and a summary.
        let last = self.0.entries() as u64 + 1;
        (pos <= last).then_some(pos)
    }

    fn show(&self, pos: u64, out: &mut SeqFile) {
        let Some(nth) = pos.checked_sub(1).and_then(index) else {
            out.write(b"# name kind state code\n");
            return;
        };
        let shown = self.0.with_entry(nth, |entry| {
            out.print(fmt!(
                "{} {} {} {}\n",
                entry.name,
                entry.kind,
                entry.state,
                entry.code
            ));
        });
        if shown.is_none() {
            let summary = self.0.summary();
            let counting = &self.0.counting;
            out.print(fmt!(
                "# probes {}; rows by {}; sites {} of {}; blocks {} of {}; live {}; lost {}; unattributed {}\n",
                summary.probes,
                summary.grouping,
                counting.sites.count(),
                counting.sites.capacity(),
                counting.blocks.count(),
                counting.blocks.capacity(),
                summary.live,
                summary.lost,
                counting.sites.unattributed(),
            ));
        }
    }
}

impl WriteOps for Watch {
    fn write(&self, text: &[u8]) -> Result {
        let text = core::str::from_utf8(text).map_err(|_| EINVAL)?;
        let mut words = text.split_ascii_whitespace();
        let command = words.next().ok_or(EINVAL)?;
        let mut arguments = [""; 3];
        for (to, word) in arguments.iter_mut().zip(&mut words) {
            *to = word;
        }
        if words.next().is_some() {
            return Err(EINVAL);
        }
        match (command, arguments) {
            ("add", [name, "", ""]) => self.0.add(name),
            ("add", [name, first, last]) => self.0.add_addresses(name, addresses(first, last)?),
            ("remove", [name, "", ""]) => self.0.remove(name),
            ("clear", ["", "", ""]) => self.0.clear(),
            ("group", [name, "", ""]) => {
                let by = Grouping::ALL.iter().find(|(known, _)| *known == name);
                self.0.group(by.ok_or(EINVAL)?.1)
            }
            _ => Err(EINVAL),
        }
    }
}

/// Returns the addresses from `first` up to `last`. Each is a number, whose end is exclusive, or a
/// function. Without `last`, they are those of the function `first`.
fn addresses(first: &str, last: &str) -> Result<core::ops::Range<usize>> {
    let (start, end) = address(first)?;
    match last {
        "" => Ok(start..end.ok_or(EINVAL)?),
        last => {
            let (at, end) = address(last)?;
            Ok(start..end.unwrap_or(at))
        }
    }
}

/// Returns the address that a word names, and the end of the function if it is one.
fn address(word: &str) -> Result<(usize, Option<usize>)> {
    if let Some(digits) = word.strip_prefix("0x") {
        let number = usize::from_str_radix(digits, 16).map_err(|_| EINVAL)?;
        return Ok((number, None));
    }
    let name = CString::try_from_fmt(fmt!("{word}"))?;
    let function = symbol::function(&name)?;
    Ok((function.start, Some(function.end)))
}
