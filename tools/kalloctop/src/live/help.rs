// SPDX-License-Identifier: GPL-2.0-only

//! The screen that explains the keys and the columns.

use super::{
    app::App,
    draw::scrolled,
    keys::KEYS, //
};
use crate::column::{
    self,
    Column, //
};
use ratatui::{
    layout::Rect,
    text::{
        Line,
        Span, //
    },
    Frame, //
};

/// Draws the help.
pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App, area: Rect) {
    let theme = app.theme;
    let pair = |key: &str, what: String| {
        Line::from(vec![
            Span::styled(format!("{key:>14}  "), theme.label()),
            Span::raw(what),
        ])
    };
    let mut lines = vec![Line::styled("Keys", theme.title())];
    lines.extend(KEYS.iter().map(|(key, what)| pair(key, (*what).to_owned())));
    lines.push(Line::default());
    lines.push(Line::styled("Keys that sort by a column", theme.title()));
    lines.extend(column::known(app.known()).map(|look| {
        let order = if look.column == Column::Name {
            "in alphabetical order"
        } else {
            "largest first"
        };
        pair(
            &look.key.to_string(),
            format!("{}: {}, {order}", look.head, look.help),
        )
    }));
    scrolled(frame, app, area, &lines);
}
