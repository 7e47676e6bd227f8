// SPDX-License-Identifier: GPL-2.0

//! The text of the two files.

#![deny(unsafe_code)]

use super::{
    api::{
        FreePagesApi,
        KmallocApi,
        PagesApi,
        VmallocApi, //
    },
    cache,
    cost::Watch,
    own,
    probe,
    table::{
        column,
        Table, //
    },
    value::Size, //
};
use kalloc::{
    layout,
    seq::{
        Output,
        Records, //
    }, //
};
use kernel::{
    fmt::{
        self,
        Write, //
    },
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// The file `compare`.
pub(crate) struct Comparison(Arc<Mutex<Last>>);

impl Comparison {
    pub(crate) fn new() -> Result<Self> {
        Ok(Comparison(Arc::pin_init(
            new_mutex!(Last::none()),
            GFP_KERNEL,
        )?))
    }
}

impl Records for Comparison {
    fn seek(&self, pos: u64) -> Option<u64> {
        (pos == 0).then_some(pos)
    }

    fn show(&self, _pos: u64, out: &mut Output) {
        // An output takes what it is given.
        let _ = compare(&self.0, out);
    }
}

/// The file `layout`.
pub(crate) struct Layout;

impl Records for Layout {
    fn seek(&self, pos: u64) -> Option<u64> {
        (pos == 0).then_some(pos)
    }

    fn show(&self, _pos: u64, out: &mut Output) {
        out.print(fmt!("{}", self));
    }
}

/// What was measured last, when, and whether addresses were hidden.
///
/// A reader whose buffer is too small asks for the text again at once, and gets the same.
pub(crate) struct Last(Option<(Watch, bool, Table)>);

impl Last {
    /// How long a measurement is shown, in nanoseconds.
    const FRESH_NS: u64 = 1_000_000_000;

    pub(crate) fn none() -> Self {
        Last(None)
    }

    /// What may still be shown.
    fn fresh(&self, hidden: bool) -> Option<&Table> {
        let (watch, was_hidden, table) = self.0.as_ref()?;
        (watch.ns() < Self::FRESH_NS && *was_hidden == hidden).then_some(table)
    }
}

/// Writes the table.
fn compare(last: &Mutex<Last>, f: &mut Output) -> fmt::Result {
    let mut last = last.lock();
    let hidden = layout::hidden();
    if let Some(table) = last.fresh(hidden) {
        return write!(f, "{table}");
    }
    // What is old is freed before anything is measured.
    last.0 = None;
    match measure() {
        Ok(table) => {
            write!(f, "{table}")?;
            last.0 = Some((Watch::start(), hidden, table));
            Ok(())
        }
        Err(e) => writeln!(f, "# not measured: {e:?}"),
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if layout::hidden() {
            // Sizes add up to addresses.
            return f.write_str("# hidden: see kernel.kptr_restrict and CAP_SYSLOG\n");
        }
        writeln!(f, "# {}-level page tables", layout::paging_levels())?;
        f.write_str("# start end size name\n")?;
        for area in layout::areas() {
            write!(f, "{:016x} {:016x} ", area.start(), area.last())?;
            column(f, 12, &Size(area.size()))?;
            writeln!(f, "{}", area.name())?;
        }
        Ok(())
    }
}

/// Measures everything.
///
/// # Errors
///
/// As [`probe::api`].
fn measure() -> Result<Table> {
    let mut table = Table::new();
    own::machine(&mut table)?;
    let cost = probe::api::<VmallocApi>(&mut table)?;
    own::vmalloc(&mut table, cost)?;
    probe::api::<KmallocApi>(&mut table)?;
    own::kmalloc(&mut table)?;
    cache::measure(&mut table)?;
    probe::api::<FreePagesApi>(&mut table)?;
    own::free_pages(&mut table)?;
    probe::api::<PagesApi>(&mut table)?;
    own::pages(&mut table)?;
    Ok(table)
}
