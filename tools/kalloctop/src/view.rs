// SPDX-License-Identifier: GPL-2.0-only

//! A row with its share of the total, its rates, and its history.

use kallocinfo::{
    diff,
    Change,
    Row,
    Snapshot,
    Track, //
};
use std::time::Duration;

/// Changes and events per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    /// The increase of the live objects.
    pub(crate) live: f64,
    /// The increase of the bytes.
    pub(crate) bytes: f64,
    /// Blocks allocated and freed, if the row counts them.
    pub(crate) events: Option<(f64, f64)>,
}

impl Rates {
    fn of(change: &Change<'_>, time: Duration) -> Self {
        let per = |value: f64| value / time.as_secs_f64().max(1e-3);
        Self {
            live: per(change.live() as f64),
            bytes: per(change.bytes() as f64),
            events: change
                .events()
                .map(|(allocs, frees)| (per(allocs as f64), per(frees as f64))),
        }
    }
}

/// Returns the rates of each row of `after`, in its order.
pub(crate) fn rates(before: &Snapshot, after: &Snapshot, time: Duration) -> Vec<Rates> {
    diff(before, after)
        .iter()
        .take(after.rows.len())
        .map(|change| Rates::of(change, time))
        .collect()
}

/// A row with the data that the display shows of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// The row of the files.
    pub(crate) row: &'a Row,
    /// The bytes of all rows, for the share.
    pub(crate) all_bytes: u64,
    /// The rates since the previous reading, if there is one.
    pub(crate) rates: Option<Rates>,
    /// The history.
    pub(crate) track: Option<&'a Track>,
}

impl<'a> View<'a> {
    /// Returns the view of a row of a file that is read once.
    pub(crate) fn once(row: &'a Row, all_bytes: u64) -> Self {
        Self {
            row,
            all_bytes,
            rates: None,
            track: None,
        }
    }
}
