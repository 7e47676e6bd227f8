// SPDX-License-Identifier: GPL-2.0-only

//! The history of the rows over many snapshots.

use crate::{
    Key,
    Row,
    Snapshot, //
};
use std::{
    collections::{
        HashMap,
        VecDeque, //
    },
    time::Duration, //
};

/// The numbers of a row in one snapshot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sample {
    /// Live objects.
    pub live: u64,
    /// Bytes of the pages or blocks.
    pub bytes: u64,
}

/// The history of one row.
#[derive(Clone, Debug)]
pub struct Track {
    /// The last samples, oldest first.
    pub samples: VecDeque<Sample>,
    /// The time from which on the row has had live objects, and their number has not decreased.
    pub since: Duration,
    /// The sample at `since`.
    pub then: Sample,
    /// Blocks freed until `since`, if the row counts them.
    pub frees: Option<u64>,
}

/// The tracks of all rows of the last snapshot.
///
/// [`push`](Self::push) drops the track of a row that the new snapshot does not have. If the row
/// appears again, a new track starts.
#[derive(Debug)]
pub struct History {
    tracks: HashMap<Key, Track>,
    now: Duration,
    most: usize,
}

impl History {
    /// Returns an empty history that keeps at most `most` samples of each row.
    pub fn new(most: usize) -> Self {
        Self {
            tracks: HashMap::new(),
            now: Duration::ZERO,
            most,
        }
    }

    /// Adds a snapshot that was taken at `now`. The origin of `now` is arbitrary; `now` must not
    /// decrease from call to call.
    pub fn push(&mut self, now: Duration, snapshot: &Snapshot) {
        self.now = now;
        let mut before = std::mem::take(&mut self.tracks);
        for row in &snapshot.rows {
            let key = row.key();
            let track = before.remove(&key);
            let track = next(track, now, row, self.most);
            self.tracks.insert(key, track);
        }
    }

    /// Returns the history of a row.
    pub fn track(&self, row: &Row) -> Option<&Track> {
        self.tracks.get(&row.key())
    }

    /// Returns the rows that have had live objects for at least `window`, without a decrease of
    /// their number. The row with the largest growth is first.
    pub fn leaks<'a>(&self, snapshot: &'a Snapshot, window: Duration) -> Vec<(&'a Row, &Track)> {
        let mut found: Vec<_> = snapshot
            .rows
            .iter()
            .filter_map(|row| Some((row, self.track(row)?)))
            .filter(|(row, track)| row.live() > 0 && self.now.saturating_sub(track.since) >= window)
            .collect();
        found.sort_by(|(a, a_track), (b, b_track)| {
            let grown = |row: &Row, track: &Track| row.live() - track.then.live;
            grown(b, b_track)
                .cmp(&grown(a, a_track))
                .then(b.bytes().cmp(&a.bytes()))
                .then(a.name.cmp(&b.name))
        });
        found
    }
}

/// Returns the track of a row after one more sample.
fn next(track: Option<Track>, now: Duration, row: &Row, most: usize) -> Track {
    let sample = Sample {
        live: row.live(),
        bytes: row.bytes(),
    };
    let start = |samples| Track {
        samples,
        since: now,
        then: sample,
        frees: row.events().map(|(_, frees)| frees),
    };
    let mut track = match track {
        Some(track) => {
            let last = track.samples.back().map_or(0, |last| last.live);
            if sample.live < last || last == 0 {
                start(track.samples)
            } else {
                track
            }
        }
        None => start(VecDeque::new()),
    };
    if track.samples.len() == most {
        track.samples.pop_front();
    }
    track.samples.push_back(sample);
    track
}
