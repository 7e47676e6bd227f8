// SPDX-License-Identifier: GPL-2.0-only

//! Tests of sums, differences and histories, also for random files: the numbers must add up.

mod common;

use common::{
    row,
    slabinfo,
    Chance,
    HEADER,
    SITES, //
};
use kallocinfo::{
    diff,
    History,
    Snapshot, //
};
use std::time::Duration;

fn read(text: &str) -> Snapshot {
    Snapshot::parse(text, 4096).expect(text)
}

fn rows(rows: &[(&str, u64)]) -> Snapshot {
    let rows: String = rows
        .iter()
        .map(|(name, live)| row(name, *live, 1))
        .collect();
    read(&(HEADER.to_owned() + &rows))
}

#[test]
fn totals_are_those_of_the_golden_files() {
    let sums = read(&slabinfo()).totals();
    assert_eq!((sums.rows, sums.live, sums.objects), (4, 736057, 766569));
    assert_eq!((sums.slabs, sums.bytes), (36505, (36503 + 1 + 8) * 4096));
    let sums = read(SITES).totals();
    assert_eq!((sums.allocs, sums.frees, sums.failures), (109, 102, 6));
}

#[test]
fn totals_are_the_sums_of_rows() {
    let mut chance = Chance(1);
    for _ in 0..200 {
        let snapshot = read(&chance.slabinfo(40));
        let sum = |value: fn(&kallocinfo::Row) -> u64| snapshot.rows.iter().map(value).sum::<u64>();
        let totals = snapshot.totals();
        assert_eq!(totals.rows, snapshot.rows.len() as u64);
        assert_eq!(totals.live, sum(|row| row.live()));
        assert_eq!(totals.objects, sum(|row| row.objects()));
        assert_eq!(totals.slabs, sum(|row| row.slabs()));
        assert_eq!(totals.bytes, sum(|row| row.bytes()));
    }
}

#[test]
fn changes_add_up_to_the_change_of_totals() {
    let mut chance = Chance(2);
    for _ in 0..200 {
        let (before, after) = (read(&chance.slabinfo(30)), read(&chance.slabinfo(30)));
        let changes = diff(&before, &after);
        let (then, now) = (before.totals(), after.totals());
        let live: i128 = changes.iter().map(|change| change.live()).sum();
        let bytes: i128 = changes.iter().map(|change| change.bytes()).sum();
        assert_eq!(live, i128::from(now.live) - i128::from(then.live));
        assert_eq!(bytes, i128::from(now.bytes) - i128::from(then.bytes));
        // No row is missing, and none occurs twice.
        let both = changes
            .iter()
            .filter(|change| change.before.is_some() && change.after.is_some());
        assert_eq!(
            changes.len() + both.count(),
            before.rows.len() + after.rows.len()
        );
    }
}

#[test]
fn nothing_changes_if_nothing_did() {
    let snapshot = read(&slabinfo());
    assert!(!diff(&snapshot, &snapshot)
        .iter()
        .any(|change| change.is_change()));
}

#[test]
fn rows_come_and_go() {
    let (before, after) = (
        rows(&[("stays", 5), ("goes", 2)]),
        rows(&[("comes", 3), ("stays", 4)]),
    );
    let changes: Vec<_> = diff(&before, &after)
        .iter()
        .map(|change| (change.name().to_owned(), change.live()))
        .collect();
    let wanted = [("comes", 3), ("stays", -1), ("goes", -2)];
    assert_eq!(changes, wanted.map(|(name, live)| (name.to_owned(), live)));
}

#[test]
fn rows_of_one_name_are_told_apart() {
    let (before, after) = (rows(&[("x", 1), ("x", 10)]), rows(&[("x", 1), ("x", 30)]));
    let live: Vec<_> = diff(&before, &after)
        .iter()
        .map(|change| change.live())
        .collect();
    assert_eq!(live, [0, 20]);
}

#[test]
fn a_site_that_is_counted_anew_has_no_events() {
    let before = read(SITES);
    let after = read(&SITES.replace("\"allocs\":100,\"frees\":96", "\"allocs\":4,\"frees\":0"));
    let changes = diff(&before, &after);
    assert_eq!(changes[0].events(), None);
    assert_eq!(changes[1].events(), Some((0, 0)));
    assert_eq!(diff(&Snapshot::default(), &after)[0].events(), Some((4, 0)));
}

/// Returns the leaks of the rows `x` and `y`, which have these live objects, one pair per second.
fn leaking(past: &[(u64, u64)], window: u64) -> Vec<String> {
    let mut history = History::new(3);
    let mut last = Snapshot::default();
    for ((x, y), at) in past.iter().zip(0..) {
        last = rows(&[("x", *x), ("y", *y)]);
        history.push(Duration::from_secs(at), &last);
    }
    let found = history.leaks(&last, Duration::from_secs(window));
    found.iter().map(|(row, _)| row.name.clone()).collect()
}

#[test]
fn what_does_not_shrink_is_told() {
    // The row with the larger growth is first.
    assert_eq!(leaking(&[(1, 1), (1, 5), (2, 6)], 2), ["y", "x"]);
    // `y` decreased, but not in the last second.
    assert_eq!(leaking(&[(1, 5), (1, 4), (1, 6)], 2), ["x"]);
    assert_eq!(leaking(&[(1, 5), (1, 4), (1, 6)], 1), ["y", "x"]);
    // `x` has no live objects; `y` has had some for one second.
    assert_eq!(leaking(&[(0, 0), (0, 1), (0, 2)], 2), [""; 0]);
    assert_eq!(leaking(&[(0, 0), (0, 1), (0, 2)], 1), ["y"]);
}

#[test]
fn tracks_keep_the_last_samples() {
    let mut history = History::new(2);
    for (live, at) in [7, 8, 9].into_iter().zip(0..) {
        history.push(Duration::from_secs(at), &rows(&[("x", live)]));
    }
    let snapshot = rows(&[("x", 9)]);
    let track = history.track(&snapshot.rows[0]).unwrap();
    let live: Vec<_> = track.samples.iter().map(|sample| sample.live).collect();
    assert_eq!((live, track.then.live), (vec![8, 9], 7));
    // The history drops the track of a missing row.
    history.push(Duration::from_secs(3), &rows(&[]));
    assert!(history.track(&snapshot.rows[0]).is_none());
}
