// SPDX-License-Identifier: GPL-2.0

//! What many snapshots said, one after the other.

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

/// What a row said at one time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sample {
    /// Live objects.
    pub live: u64,
    /// Bytes that it held.
    pub bytes: u64,
}

/// What is known of a row's past.
#[derive(Clone, Debug)]
pub struct Track {
    /// The last samples, the oldest first.
    pub samples: VecDeque<Sample>,
    /// Since when it has been live and has not shrunk.
    pub since: Duration,
    /// What it said then.
    pub then: Sample,
    /// What it had freed by then, where that is counted.
    pub frees: Option<u64>,
}

/// The tracks of all rows that are there. Rows that have gone are forgotten: if they come again, they
/// are others.
#[derive(Debug)]
pub struct History {
    tracks: HashMap<Key, Track>,
    now: Duration,
    most: usize,
}

impl History {
    /// An empty one, that will keep so many samples of each row.
    pub fn new(most: usize) -> Self {
        Self {
            tracks: HashMap::new(),
            now: Duration::ZERO,
            most,
        }
    }

    /// Adds what was said at `now`, a time from any start that does not go back.
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

    /// The past of a row.
    pub fn track(&self, row: &Row) -> Option<&Track> {
        self.tracks.get(&row.key())
    }

    /// The rows that have been live and have not shrunk for this long: what grew most comes first.
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

/// The track of a row after one more sample.
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
