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
use kalloc::layout;
use kernel::{
    fmt,
    prelude::*,
    sync::Mutex, //
};

/// What was measured last, and when.
///
/// A reader whose buffer is too small asks for the text again at once, and gets the same.
pub(crate) struct Last(Option<(Watch, Table)>);

impl Last {
    /// How long a measurement is shown, in nanoseconds.
    const FRESH_NS: u64 = 1_000_000_000;

    pub(crate) fn none() -> Self {
        Last(None)
    }
}

/// Writes the table.
pub(crate) fn compare(last: &Mutex<Last>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut last = last.lock();
    if let Some((_, table)) = last.0.as_ref().filter(|(w, _)| w.ns() < Last::FRESH_NS) {
        return write!(f, "{table}");
    }
    // What is old is freed before anything is measured.
    last.0 = None;
    match measure() {
        Ok(table) => {
            write!(f, "{table}")?;
            last.0 = Some((Watch::start(), table));
            Ok(())
        }
        Err(e) => writeln!(f, "# not measured: {e:?}"),
    }
}

/// Writes the address space.
pub(crate) fn layout(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "# {}-level page tables", layout::paging_levels())?;
    f.write_str("# start end size name\n")?;
    for area in layout::areas() {
        write!(f, "{:016x} {:016x} ", area.start(), area.last())?;
        column(f, 12, &Size(area.size()))?;
        writeln!(f, "{}", area.name())?;
    }
    Ok(())
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
