// SPDX-License-Identifier: GPL-2.0-only

//! The printed reports: the table, the changes, and the rows that do not shrink.

use crate::{
    cli::Options,
    column::{
        self,
        Column,
        Known, //
    },
    error::Error,
    format,
    interrupt,
    output::Output,
    source::Source,
    theme::Theme,
    view::View, //
};
use kallocinfo::{
    Change,
    History,
    Row,
    Snapshot,
    Totals, //
};
use std::time::{
    Duration,
    Instant, //
};

/// Returns the labels and texts of the sums of all rows.
pub(crate) fn totals(sums: &Totals) -> Vec<(&'static str, String)> {
    let used = format::percent(format::part(sums.live, sums.objects));
    vec![
        ("Rows", sums.rows.to_string()),
        ("Live", format!("{} / {} ({used})", sums.live, sums.objects)),
        ("Slabs", sums.slabs.to_string()),
        ("Size", format::bytes(sums.bytes)),
    ]
}

/// Returns the table of `--once`. Fails if it does not have the column by which to sort.
pub(crate) fn once(options: &Options, snapshot: &Snapshot) -> Result<String, Error> {
    let sums = snapshot.totals();
    let known = Known {
        sites: snapshot.has_sites(),
        rates: false,
    };
    let looks: Vec<_> = column::known(known).collect();
    let heads: Vec<&str> = looks.iter().map(|look| look.head).collect();
    if looks.iter().all(|look| look.column != options.sort) {
        let head = column::look_of(options.sort).head;
        return Err(Error::NoColumn(head, heads.join(", ")));
    }
    let mut views: Vec<View<'_>> = snapshot
        .rows
        .iter()
        .map(|row| View::once(row, sums.bytes))
        .collect();
    sort(&mut views, |view| *view, options.sort, options.reverse);
    views.truncate(options.most_rows());
    let theme = Theme {
        colours: false,
        ascii: options.ascii,
    };
    let cells = views
        .iter()
        .map(|view| {
            looks
                .iter()
                .map(|look| look.column.text(view, theme))
                .collect()
        })
        .collect();
    let line: Vec<String> = totals(&sums)
        .into_iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let mut text = format!("{}\n\n{}", line.join("  "), table(&heads, cells));
    add_notes(&mut text, snapshot);
    Ok(text)
}

/// Appends the notes of a reading to a table.
fn add_notes(text: &mut String, snapshot: &Snapshot) {
    for (number, note) in snapshot.notes.iter().enumerate() {
        if number == 0 {
            text.push('\n');
        }
        *text += &format::clean(note);
        text.push('\n');
    }
}

/// Sorts rows by a column. Rows with equal values are in the order of their names.
pub(crate) fn sort<'a, T>(
    items: &mut [T],
    view: impl Fn(&T) -> View<'a>,
    column: Column,
    reverse: bool,
) {
    items.sort_by(|a, b| {
        let (a, b) = (view(a), view(b));
        let order = column.order(&a, &b);
        let order = if reverse { order.reverse() } else { order };
        order.then_with(|| a.row.name.cmp(&b.row.name))
    });
}

/// Returns the changes of `--diff`, with the largest growth first. The last line is the sum of all
/// changes.
pub(crate) fn diff(options: &Options, before: &Snapshot, after: &Snapshot) -> String {
    let mut changes: Vec<Change<'_>> = kallocinfo::diff(before, after);
    changes.retain(Change::is_change);
    changes.sort_by_key(|change| (-change.bytes(), -change.live()));
    let mut cells: Vec<Vec<String>> = changes
        .iter()
        .take(options.most_rows())
        .map(|change| {
            let now = |value: fn(&Row) -> u64| change.after.map_or(0, value);
            let events = change.events();
            let event = |side: fn((u64, u64)) -> u64| {
                events.map_or("-".to_owned(), |events| side(events).to_string())
            };
            let state = match (change.before, change.after) {
                (None, _) => "new",
                (_, None) => "gone",
                _ => "",
            };
            vec![
                format::clean(change.name()),
                now(Row::live).to_string(),
                format::change(change.live()),
                format::bytes(now(Row::bytes)),
                format::change_of_bytes(change.bytes()),
                event(|(allocs, _)| allocs),
                event(|(_, frees)| frees),
                state.to_owned(),
            ]
        })
        .collect();
    let (then, now) = (before.totals(), after.totals());
    let sum = |then: u64, now: u64| i128::from(now) - i128::from(then);
    cells.push(vec![
        "TOTAL".to_owned(),
        now.live.to_string(),
        format::change(sum(then.live, now.live)),
        format::bytes(now.bytes),
        format::change_of_bytes(sum(then.bytes, now.bytes)),
        String::new(),
        String::new(),
        match (before.taken_ms, after.taken_ms) {
            (Some(then), Some(now)) if now >= then => {
                format!("in {:.1}s", (now - then) as f64 / 1e3)
            }
            _ => String::new(),
        },
    ]);
    let heads = [
        "NAME", "LIVE", "+LIVE", "SIZE", "+SIZE", "ALLOCS", "FREES", "",
    ];
    table(&heads, cells)
}

/// Reads for the time `window`, and returns the rows of `--leaks`: those that always had live
/// objects and did not shrink.
pub(crate) fn leaks(options: &Options, source: &Source, window: Duration) -> Result<String, Error> {
    source.check_repeatable()?;
    Output::check(options.output.as_deref())?;
    // One sample is sufficient, because a track also keeps the sample of its start.
    let mut history = History::new(1);
    let mut start = None;
    loop {
        let snapshot = options.selected(&source.read()?);
        let now = start.map_or(Duration::ZERO, |start: Instant| start.elapsed());
        start.get_or_insert_with(Instant::now);
        history.push(now, &snapshot);
        let left = window.saturating_sub(now);
        if left.is_zero() {
            return Ok(leaking(options, &history, &snapshot, now, window));
        }
        interrupt::sleep(left.min(options.interval.0))?;
    }
}

fn leaking(
    options: &Options,
    history: &History,
    snapshot: &Snapshot,
    now: Duration,
    window: Duration,
) -> String {
    let cells = history
        .leaks(snapshot, window)
        .into_iter()
        .take(options.most_rows())
        .map(|(row, track)| {
            let freed = match (row.events(), track.frees) {
                (Some((_, frees)), Some(then)) => frees.saturating_sub(then).to_string(),
                _ => "-".to_owned(),
            };
            vec![
                format::clean(&row.name),
                row.live().to_string(),
                format::change(i128::from(row.live()) - i128::from(track.then.live)),
                format::bytes(row.bytes()),
                format::change_of_bytes(i128::from(row.bytes()) - i128::from(track.then.bytes)),
                freed,
                format::seconds(now.saturating_sub(track.since).as_secs()),
                place(row),
            ]
        })
        .collect();
    let heads = ["NAME", "LIVE", "+LIVE", "SIZE", "+SIZE", "FREED", "FOR", ""];
    let mut text = table(&heads, cells);
    add_notes(&mut text, snapshot);
    text
}

/// Returns the declaration and the type of a site.
pub(crate) fn place(row: &Row) -> String {
    let declared = row.site.as_ref().filter(|site| !site.is_watched());
    declared.map_or(String::new(), |site| {
        format::clean(&format!("{}:{} {}", site.file, site.line, site.type_name))
    })
}

/// Formats a table. The first column and columns without a title are left-aligned texts. All other
/// columns are right-aligned numbers.
fn table(heads: &[&str], cells: Vec<Vec<String>>) -> String {
    let mut widths: Vec<usize> = heads.iter().map(|head| format::width(head)).collect();
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(format::width(cell));
        }
    }
    let line = |row: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (number, (cell, width)) in row.zip(&widths).enumerate() {
            let left = number == 0 || heads[number].is_empty();
            text += &format::padded(cell, *width, left);
            text.push(' ');
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    };
    let mut text = line(&mut heads.iter().copied());
    for row in &cells {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}
