// SPDX-License-Identifier: GPL-2.0-only

//! The screen with the table: the page of rows around the cursor.

use super::app::App;
use crate::{
    column::{
        self,
        Column,
        Look, //
    },
    format,
    view::View, //
};
use ratatui::{
    layout::Rect,
    style::Style,
    text::{
        Line,
        Span, //
    },
    Frame, //
};

/// Draws the titles, and the page of rows with the cursor. Rows move only when their order changes,
/// because the table does not scroll by single rows.
pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App, area: Rect) {
    app.set_page(usize::from(area.height.saturating_sub(1)));
    let (looks, name) = column::fitting(app.known(), area.width, app.longest_name());
    let width = |look: &Look| {
        let width = if look.column == Column::Name {
            name
        } else {
            look.width
        };
        usize::from(width)
    };
    let mut places = area.rows();
    if let Some(place) = places.next() {
        frame.render_widget(heads(app, &looks, width), place);
        frame.buffer_mut().set_style(place, app.theme.heads());
    }
    let from = app.cursor() / app.page() * app.page();
    let views: Vec<View<'_>> = app.views(from, app.page()).collect();
    for ((number, view), place) in (from..).zip(&views).zip(places) {
        frame.render_widget(row(app, &looks, width, view), place);
        if number == app.cursor() {
            frame.buffer_mut().set_style(place, app.theme.cursor());
        }
    }
}

fn heads(app: &App, looks: &[Look], width: impl Fn(&Look) -> usize) -> Line<'static> {
    let (sorted, reverse) = app.sorted();
    Line::from_iter(looks.iter().flat_map(|look| {
        let by_it = look.column == sorted;
        // The default order is ascending for names and descending for numbers.
        let down = (look.column == Column::Name) == reverse;
        let arrow = match (by_it, down) {
            (false, _) => "",
            (true, true) => "v",
            (true, false) => "^",
        };
        let style = if by_it {
            app.theme.sorted()
        } else {
            app.theme.heads()
        };
        let text = format!("{}{arrow}", look.head);
        [
            Span::styled(aligned(&text, look.column, width(look)), style),
            Span::raw(" "),
        ]
    }))
}

fn row(
    app: &App,
    looks: &[Look],
    width: impl Fn(&Look) -> usize,
    view: &View<'_>,
) -> Line<'static> {
    Line::from_iter(looks.iter().flat_map(|look| {
        let width = width(look);
        let text = match look.column {
            Column::Share => share(app, view, width),
            column => column.text(view, app.theme),
        };
        let text = aligned(&text, look.column, width);
        [
            Span::styled(text, style(app, look.column, view)),
            Span::raw(" "),
        ]
    }))
}

/// Returns a percentage and a bar.
fn share(app: &App, view: &View<'_>, width: usize) -> String {
    let part = format::part(view.row.bytes(), view.all_bytes);
    let text = format!("{:>6} ", format::percent(part));
    let left = width.saturating_sub(text.len());
    text + &format::bar(part, left, app.theme)
}

/// Pads a text to `width` columns. A longer text is truncated and ends with `~`.
fn aligned(text: &str, column: Column, width: usize) -> String {
    let left = matches!(column, Column::Name | Column::Share);
    format::padded(&format::start_of(text, width), width, left)
}

fn style(app: &App, column: Column, view: &View<'_>) -> Style {
    let theme = app.theme;
    let by_sign = |value: f64| match value {
        value if value > 0.0 => theme.more(),
        value if value < 0.0 => theme.less(),
        _ => Style::new(),
    };
    match column {
        Column::LiveRate => by_sign(view.rates.map_or(0.0, |rates| rates.live)),
        Column::SizeRate => by_sign(view.rates.map_or(0.0, |rates| rates.bytes)),
        Column::Share | Column::Trend => theme.bar(),
        Column::Failures
            if view
                .row
                .site
                .as_ref()
                .is_some_and(|site| site.failures.all() > 0) =>
        {
            theme.wrong()
        }
        _ => Style::new(),
    }
}
