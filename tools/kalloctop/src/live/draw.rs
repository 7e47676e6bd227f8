// SPDX-License-Identifier: GPL-2.0-only

//! The layout of the screen: the sums at the top, a line of hints at the bottom, and the table, the
//! details or the help in between.

use super::{
    app::{
        App,
        Screen, //
    },
    detail,
    help,
    table, //
};
use crate::{
    format,
    report, //
};
use ratatui::{
    layout::{
        Constraint,
        Layout,
        Rect, //
    },
    text::{
        Line,
        Span, //
    },
    Frame, //
};

/// The first word on the screen.
const TITLE: &str = "kalloctop";

/// The width of the curve of the total size, in characters.
const CURVE: usize = 40;

/// Draws the whole screen.
pub(super) fn all(frame: &mut Frame<'_>, app: &mut App) {
    let [above, middle, notes, below] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Min(1),
        Constraint::Length(lines_of_notes(app, frame.area().height)),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    head(frame, app, above);
    match app.screen {
        Screen::Table => table::draw(frame, app, middle),
        Screen::Detail => detail::draw(frame, app, middle),
        Screen::Help => help::draw(frame, app, middle),
    }
    for (note, row) in app.snapshot().notes.iter().zip(notes.rows()) {
        let text = format::start_of(&format::clean(note), usize::from(row.width));
        frame.render_widget(Line::styled(text, app.theme.label()), row);
    }
    frame.render_widget(foot(app), below);
}

/// Returns the number of lines for notes: at most a quarter of the screen.
fn lines_of_notes(app: &App, height: u16) -> u16 {
    let notes = u16::try_from(app.snapshot().notes.len()).unwrap_or(u16::MAX);
    notes.min(height / 4)
}

/// Draws the input files, the sums, and the trend.
fn head(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let theme = app.theme;
    let rest = format!(
        "{}  every {}s  for {}",
        if app.known().sites { " with JSON" } else { "" },
        (app.interval().as_secs_f64() * 10.0).round() / 10.0,
        format::seconds(app.age().as_secs()),
    );
    let paused = if app.paused() { "  PAUSED" } else { "" };
    let taken = TITLE.len() + 2 + rest.len() + paused.len();
    let left = usize::from(area.width).saturating_sub(taken);
    let first = vec![
        Span::styled(TITLE, theme.title()),
        Span::raw("  "),
        Span::raw(format::end_of(&format::clean(&app.source), left)),
        Span::raw(rest),
        Span::styled(paused, theme.title()),
    ];
    let sums = app.snapshot().totals();
    let mut lines = vec![Line::from(first), labelled(&report::totals(&sums), app)];
    if app.known().sites {
        lines.push(labelled(
            &[
                ("Allocated", sums.allocs.to_string()),
                ("Freed", sums.frees.to_string()),
                ("Failed", sums.failures.to_string()),
            ],
            app,
        ));
    }
    lines.push(Line::from(vec![
        Span::styled("Trend ", theme.label()),
        Span::styled(
            format::curve(app.sizes.iter().copied(), CURVE, theme),
            theme.bar(),
        ),
        Span::raw(" of the size of all"),
    ]));
    if let Some(wrong) = &app.wrong {
        // The error has priority over the last line, for which there may be no room.
        let text = format::end_of(&format::clean(wrong), usize::from(area.width));
        lines.insert(1, Line::styled(text, theme.wrong()));
    }
    for (line, row) in lines.iter().zip(area.rows()) {
        frame.render_widget(line, row);
    }
}

/// Draws the lines from the scroll position on. Limits the position so that scrolling ends at the
/// last line.
pub(super) fn scrolled(frame: &mut Frame<'_>, app: &mut App, area: Rect, lines: &[Line<'_>]) {
    let most = lines.len().saturating_sub(usize::from(area.height));
    app.above = app.above.min(most);
    for (line, row) in lines.iter().skip(app.above).zip(area.rows()) {
        frame.render_widget(line, row);
    }
}

/// Returns a line of labels and values.
pub(super) fn labelled(pairs: &[(&'static str, String)], app: &App) -> Line<'static> {
    let spans = pairs.iter().flat_map(|(name, value)| {
        [
            Span::styled(format!("{name} "), app.theme.label()),
            Span::raw(format!("{value}  ")),
        ]
    });
    Line::from_iter(spans)
}

/// Returns the bottom line: the typed filter, or the hints and the current selection.
fn foot(app: &App) -> Line<'static> {
    let theme = app.theme;
    if let Some(text) = &app.typing {
        return Line::from(vec![
            Span::styled("/", theme.title()),
            Span::raw(format::clean(text)),
            Span::styled(" ", theme.cursor()),
        ]);
    }
    let hints = match app.screen {
        Screen::Table => {
            "? help  q quit  Enter details  / filter  < > sort  b groups  L leaks  Space pause"
        }
        Screen::Detail | Screen::Help => "q back  Ctrl-C quit",
    };
    let mut spans = vec![Span::styled(hints, theme.label())];
    let mut chosen: Vec<String> = app.choices().into_iter().map(str::to_owned).collect();
    if !app.filter().is_empty() {
        chosen.push(format!("/{}", format::clean(app.filter())));
    }
    if !chosen.is_empty() {
        let all = app.snapshot().rows.len();
        spans.push(Span::styled(
            format!("  {}: {} of {all}", chosen.join(", "), app.shown()),
            theme.title(),
        ));
    }
    Line::from(spans)
}
