// SPDX-License-Identifier: GPL-2.0-only

//! The recording of a session: all screens and their times.
//!
//! The recording stores equal lines only once, even at different places. Most lines occur
//! repeatedly.

mod html;
mod svg;

use crate::{
    error::Error,
    output::Output, //
};
use ratatui::{
    buffer::Buffer,
    style::Style,
    text::Span, //
};
use std::{
    collections::HashMap,
    path::Path,
    time::{
        Duration,
        Instant, //
    }, //
};

/// Adjacent characters of a line in one style.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Run {
    column: usize,
    width: usize,
    text: String,
    style: Style,
}

/// A screen: the index of the line in each row.
#[derive(Debug, PartialEq)]
struct Picture {
    at: Duration,
    rows: Vec<usize>,
}

/// The recording so far.
#[derive(Debug, Default)]
struct Film {
    columns: usize,
    rows: usize,
    lines: Vec<Vec<Run>>,
    places: HashMap<Vec<Run>, usize>,
    pictures: Vec<Picture>,
    end: Duration,
}

/// A recorder that writes to a file.
pub(crate) struct Recorder {
    film: Film,
    write: fn(&Film) -> String,
    output: Output,
    start: Option<Instant>,
}

impl Recorder {
    /// Creates a recorder for this file. The extension selects the format.
    pub(crate) fn new(path: &Path) -> Result<Self, Error> {
        let write = match path.extension().and_then(|ending| ending.to_str()) {
            Some("svg") => svg::text,
            Some("html") => html::text,
            _ => return Err(Error::NoPicture(path.to_owned())),
        };
        Ok(Self {
            film: Film::default(),
            write,
            output: Output::to(Some(path))?,
            start: None,
        })
    }

    /// Adds the current screen.
    pub(crate) fn add(&mut self, buffer: &Buffer) {
        let at = self.start.get_or_insert_with(Instant::now).elapsed();
        self.film.add(at, buffer);
    }

    /// Writes the recording.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.film.end = self.start.map_or(Duration::ZERO, |start| start.elapsed());
        self.output.put(&(self.write)(&self.film))
    }
}

impl Film {
    fn add(&mut self, at: Duration, buffer: &Buffer) {
        let width = usize::from(buffer.area.width).max(1);
        let rows: Vec<usize> = buffer
            .content()
            .chunks(width)
            .map(|cells| self.place_of(runs(cells)))
            .collect();
        self.columns = self.columns.max(width);
        self.rows = self.rows.max(rows.len());
        if self.pictures.last().is_none_or(|last| last.rows != rows) {
            self.pictures.push(Picture { at, rows });
        }
    }

    fn place_of(&mut self, line: Vec<Run>) -> usize {
        let next = self.lines.len();
        let place = *self.places.entry(line).or_insert_with_key(|line| {
            self.lines.push(line.clone());
            next
        });
        place
    }
}

/// Groups the cells of a line by style. Omits trailing blanks in the default style.
fn runs(cells: &[ratatui::buffer::Cell]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut column = 0;
    while let Some(cell) = cells.get(column) {
        // A wide character also occupies the next cell.
        let width = Span::raw(cell.symbol()).width().max(1);
        match runs.last_mut() {
            Some(run) if run.style == cell.style() => {
                run.text.push_str(cell.symbol());
                run.width += width;
            }
            _ => runs.push(Run {
                column,
                width,
                text: cell.symbol().to_owned(),
                style: cell.style(),
            }),
        }
        column += width;
    }
    let plain = ratatui::buffer::Cell::EMPTY.style();
    if let Some(last) = runs.last_mut().filter(|last| last.style == plain) {
        last.text.truncate(last.text.trim_end().len());
        last.width = Span::raw(last.text.as_str()).width();
    }
    runs.retain(|run| run.width > 0);
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::{
        layout::Rect,
        style::Color, //
    };

    fn film(screens: &[[&str; 2]]) -> Film {
        let mut film = Film::default();
        for (lines, at) in screens.iter().zip(0..) {
            let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 2));
            buffer.set_string(0, 0, lines[0], Style::new().fg(Color::Cyan));
            buffer.set_string(0, 1, lines[1], Style::new());
            film.add(Duration::from_secs(at), &buffer);
        }
        film.end = Duration::from_secs(10);
        film
    }

    #[test]
    fn lines_are_kept_once_and_screens_where_they_change() {
        let film = film(&[["a", "b"], ["a", "b"], ["c", "b"], ["b", ""]]);
        assert_eq!(film.pictures.len(), 3);
        // `b` in cyan differs from `b` in the default color, and from an empty line.
        assert_eq!(film.lines.len(), 5);
    }

    #[test]
    fn both_kinds_have_every_line_and_when_it_is_there() {
        let film = film(&[["<a> & b", "x  y"], ["second", ""]]);
        let (svg, html) = (svg::text(&film), html::text(&film));
        for text in [&svg, &html] {
            assert!(
                text.contains("fill=\"#56b6c2\">&lt;a&gt; &amp; b</text>"),
                "{text}"
            );
            assert!(
                text.contains("<text x=\"24\" y=\"13\" textLength=\"8\">y</text>"),
                "{text}"
            );
            assert!(text.contains(">second</text>"), "{text}");
        }
        // The second picture appears after 1 of 10 + 2 seconds.
        assert!(svg.contains("8.333%{transform:translateX(-80px)}"), "{svg}");
        assert!(
            html.contains("const times = [0.000,1.000], end = 10.000, shift = 80;"),
            "{html}"
        );
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let film = film(&[["漢x", ""]]);
        assert!(svg::text(&film).contains("textLength=\"24\" fill=\"#56b6c2\">漢x</text>"));
    }
}
