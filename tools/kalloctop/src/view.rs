// SPDX-License-Identifier: GPL-2.0

//! A row with all that is known besides: its share, its rates, its past.

use kallocinfo::{
    diff,
    Change,
    Row,
    Snapshot,
    Track, //
};
use std::time::Duration;

/// What happened in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    /// Live objects that there were more.
    pub(crate) live: f64,
    /// Bytes that were held more.
    pub(crate) bytes: f64,
    /// Blocks allocated and freed, where that is counted.
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

/// The rates of each row of `after`, in its order.
pub(crate) fn rates(before: &Snapshot, after: &Snapshot, time: Duration) -> Vec<Rates> {
    diff(before, after)
        .iter()
        .take(after.rows.len())
        .map(|change| Rates::of(change, time))
        .collect()
}

/// A row on the screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// What the files say.
    pub(crate) row: &'a Row,
    /// The bytes of all rows.
    pub(crate) all_bytes: u64,
    /// What happened since the last reading, if there was one.
    pub(crate) rates: Option<Rates>,
    /// What there was before.
    pub(crate) track: Option<&'a Track>,
}

impl<'a> View<'a> {
    /// A row of a file that is read once.
    pub(crate) fn once(row: &'a Row, all_bytes: u64) -> Self {
        Self {
            row,
            all_bytes,
            rates: None,
            track: None,
        }
    }
}
