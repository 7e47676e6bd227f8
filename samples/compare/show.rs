// SPDX-License-Identifier: GPL-2.0-only

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
use crate::turns::InterruptibleSlot;
use kalloc::{
    fs::seq_file::{
        SeqFile,
        SeqOps, //
    },
    mm::address_space, //
};
use kernel::{
    fmt::{
        self,
        Write, //
    },
    prelude::*,
    sync::Arc, //
};

/// The file `compare`.
pub(crate) struct Comparison(Arc<InterruptibleSlot<Last>>);

impl Comparison {
    pub(crate) fn new() -> Result<Self> {
        Ok(Comparison(Arc::pin_init(
            InterruptibleSlot::new(Last(None)),
            GFP_KERNEL,
        )?))
    }
}

impl SeqOps for Comparison {
    fn start(&self, pos: u64) -> Option<u64> {
        (pos == 0).then_some(pos)
    }

    fn show(&self, _pos: u64, out: &mut SeqFile) {
        let hidden = out.hides_addresses();
        let shown = self.0.take(
            || Ok(()),
            |last| {
                // Writing to an output does not fail.
                let _ = write!(out, "{}", last.table(hidden)?);
                Ok(())
            },
        );
        match shown {
            Ok(()) => (),
            // The wait ended with a signal, which may only have stopped the reader.
            Err(e) if e == EINTR => out.fail(ERESTARTSYS),
            Err(e) => out.print(fmt!("# not measured: {e:?}\n")),
        }
    }
}

/// The file `layout`.
pub(crate) struct Layout;

impl SeqOps for Layout {
    fn start(&self, pos: u64) -> Option<u64> {
        (pos == 0).then_some(pos)
    }

    fn show(&self, _pos: u64, out: &mut SeqFile) {
        if out.hides_addresses() {
            // Sizes add up to addresses.
            out.write(b"# hidden: see kernel.kptr_restrict and CAP_SYSLOG\n");
        } else {
            out.print(fmt!("{}", self));
        }
    }
}

/// The last measurement, its time, and whether addresses were hidden.
///
/// A reader whose buffer is too small reads again at once, and gets the same text.
pub(crate) struct Last(Option<(Watch, bool, Table)>);

impl Last {
    /// The time for which a measurement is reused, in nanoseconds.
    const FRESH_NS: u64 = 1_000_000_000;

    /// Returns the last table if it is fresh, or measures a new one, without addresses if they are
    /// `hidden`.
    ///
    /// # Errors
    ///
    /// The errors of [`measure`].
    fn table(&mut self, hidden: bool) -> Result<&Table> {
        // An old table is freed before anything is measured.
        let last = self
            .0
            .take()
            .filter(|(watch, was_hidden, _)| watch.ns() < Self::FRESH_NS && *was_hidden == hidden);
        let last = match last {
            Some(last) => last,
            None => {
                let table = measure(hidden)?;
                (Watch::start(), hidden, table)
            }
        };
        Ok(&self.0.insert(last).2)
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}-level page tables", address_space::paging_levels())?;
        f.write_str("# start end size name\n")?;
        // A loop would have a second copy of the iterator on the stack.
        address_space::areas().try_for_each(|area| {
            write!(f, "{:016x} {:016x} ", area.start(), area.last())?;
            column(f, 12, &Size(area.size()))?;
            writeln!(f, "{}", area.name())
        })
    }
}

/// Measures all properties. Those that expose addresses are only measured if these are not
/// `hidden`.
///
/// # Errors
///
/// The errors of [`probe::api`].
fn measure(hidden: bool) -> Result<Table> {
    let mut table = Table::new();
    own::machine(&mut table)?;
    let cost = probe::api::<VmallocApi>(&mut table)?;
    own::vmalloc(&mut table, cost, hidden)?;
    probe::api::<KmallocApi>(&mut table)?;
    own::kmalloc(&mut table)?;
    cache::measure(&mut table)?;
    probe::api::<FreePagesApi>(&mut table)?;
    own::free_pages(&mut table)?;
    probe::api::<PagesApi>(&mut table)?;
    own::pages(&mut table)?;
    Ok(table)
}
