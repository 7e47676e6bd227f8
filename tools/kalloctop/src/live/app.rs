// SPDX-License-Identifier: GPL-2.0-only

//! The state of the display, which keys and readings change.

use crate::{
    cli::Options,
    column::{
        self,
        Column,
        Known, //
    },
    error::Error,
    filter::Filter,
    format,
    report,
    theme::Theme,
    view::{
        self,
        Rates,
        View, //
    }, //
};
use kallocinfo::{
    By,
    History,
    Key,
    Row,
    Snapshot, //
};
use std::{
    collections::{
        HashSet,
        VecDeque, //
    },
    time::{
        Duration,
        Instant, //
    }, //
};

/// The number of readings in the history.
pub(super) const REMEMBERED: usize = 120;
/// The time for which a row must not have shrunk so that `L` shows it.
const LEAKING: Duration = Duration::from_secs(10);

/// The current screen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Screen {
    Table,
    Detail,
    Help,
}

/// The state of the display.
pub(super) struct App {
    pub(super) theme: Theme,
    pub(super) source: String,
    pub(super) screen: Screen,
    /// The text that the user is typing after `/`.
    pub(super) typing: Option<String>,
    /// The error of the last reading, if it failed.
    pub(super) wrong: Option<String>,
    /// The number of lines of the details or the help that are above the screen.
    pub(super) above: usize,
    redraw: bool,
    pub(super) history: History,
    /// The bytes of all rows at the last readings.
    pub(super) sizes: VecDeque<u64>,
    /// The last reading, whose rows are not in groups.
    read: Snapshot,
    snapshot: Snapshot,
    by: By,
    rates: Option<Vec<Rates>>,
    start: Instant,
    last: Instant,
    interval: Duration,
    paused: bool,
    sort: Column,
    reverse: bool,
    filter: Filter,
    leaks: bool,
    full: bool,
    /// The indexes of the shown rows, in sorted order.
    order: Vec<usize>,
    cursor: usize,
    page: usize,
    /// The row of the details.
    opened: Option<Key>,
}

impl App {
    /// Creates the state with the first reading.
    pub(super) fn new(options: &Options, theme: Theme, source: String, snapshot: Snapshot) -> Self {
        let now = Instant::now();
        let mut app = Self {
            theme,
            source,
            screen: Screen::Table,
            typing: None,
            wrong: None,
            above: 0,
            redraw: false,
            history: History::new(REMEMBERED),
            sizes: VecDeque::new(),
            read: Snapshot::default(),
            snapshot: Snapshot::default(),
            by: options.by(),
            rates: None,
            start: now,
            last: now,
            interval: options.interval.0,
            paused: false,
            sort: options.sort,
            reverse: options.reverse,
            filter: options.filter.clone(),
            leaks: false,
            full: false,
            order: Vec::new(),
            cursor: 0,
            page: 1,
            opened: None,
        };
        app.remember(snapshot, now);
        app
    }

    /// Adds a reading. A failed reading leaves the rows unchanged.
    pub(super) fn take(&mut self, read: Result<Snapshot, Error>) {
        let now = Instant::now();
        match read {
            Ok(snapshot) => {
                let time = now.saturating_duration_since(self.last);
                let grouped = snapshot.grouped(self.by);
                self.rates = Some(view::rates(&self.snapshot, &grouped, time));
                self.remember(snapshot, now);
            }
            Err(error) => self.wrong = Some(error.to_string()),
        }
    }

    fn remember(&mut self, read: Snapshot, now: Instant) {
        let snapshot = read.grouped(self.by);
        self.read = read;
        self.history
            .push(now.saturating_duration_since(self.start), &snapshot);
        if self.sizes.len() == REMEMBERED {
            self.sizes.pop_front();
        }
        self.sizes.push_back(snapshot.totals().bytes);
        self.snapshot = snapshot;
        self.last = now;
        self.wrong = None;
        self.arrange();
    }

    /// Selects and sorts the rows.
    fn arrange(&mut self) {
        let leaking: Option<HashSet<Key>> = self.leaks.then(|| {
            let leaks = self.history.leaks(&self.snapshot, LEAKING);
            leaks.into_iter().map(|(row, _)| row.key()).collect()
        });
        let mut views: Vec<(usize, View<'_>)> = (0..self.snapshot.rows.len())
            .map(|place| (place, self.view_of(place, 0)))
            .filter(|(_, view)| {
                let row = view.row;
                self.filter.matches(row)
                    && (row.live() > 0 || !self.full)
                    && leaking
                        .as_ref()
                        .is_none_or(|leaking| leaking.contains(&row.key()))
            })
            .collect();
        report::sort(&mut views, |(_, view)| *view, self.sort, self.reverse);
        self.order = views.into_iter().map(|(place, _)| place).collect();
        self.cursor = self.cursor.min(self.order.len().saturating_sub(1));
    }

    fn view_of(&self, place: usize, all_bytes: u64) -> View<'_> {
        let row = &self.snapshot.rows[place];
        View {
            row,
            all_bytes,
            rates: self.rates.as_ref().map(|rates| rates[place]),
            track: self.history.track(row),
        }
    }

    /// Adds up the rows of functions or modules, or no rows. The rates and the history of the groups
    /// start with the last reading.
    pub(super) fn group(&mut self) {
        self.by = match self.by {
            By::Site => By::Function,
            By::Function => By::Module,
            By::Module => By::Site,
        };
        self.rates = None;
        self.history = History::new(REMEMBERED);
        self.snapshot = self.read.grouped(self.by);
        let age = self.last.saturating_duration_since(self.start);
        self.history.push(age, &self.snapshot);
        self.arrange();
    }

    /// Returns the last reading.
    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Returns the number of selected rows.
    pub(super) fn shown(&self) -> usize {
        self.order.len()
    }

    /// Returns at most `most` of the selected rows, starting with number `from`.
    pub(super) fn views(&self, from: usize, most: usize) -> impl Iterator<Item = View<'_>> {
        let all = self.sizes.back().copied().unwrap_or(0);
        let places = self.order.iter().skip(from).take(most);
        places.map(move |place| self.view_of(*place, all))
    }

    /// Returns the row of the details if the last reading has it.
    pub(super) fn opened(&self) -> Option<View<'_>> {
        let is_it = |row: &Row| Some(row.key()) == self.opened;
        let place = self.snapshot.rows.iter().position(is_it)?;
        Some(self.view_of(place, self.sizes.back().copied().unwrap_or(0)))
    }

    /// Returns the name of the row of the details.
    pub(super) fn opened_name(&self) -> &str {
        self.opened.as_ref().map_or("", |(name, _)| name)
    }

    /// Switches to another screen.
    pub(super) fn show(&mut self, screen: Screen) {
        self.screen = screen;
        self.above = 0;
    }

    /// Requests a complete redraw.
    pub(super) fn redraw(&mut self) {
        self.redraw = true;
    }

    /// Returns true if a complete redraw was requested, and clears the request.
    pub(super) fn takes_redraw(&mut self) -> bool {
        std::mem::take(&mut self.redraw)
    }

    /// Opens the details of the row at the cursor.
    pub(super) fn open(&mut self) {
        if let Some(place) = self.order.get(self.cursor) {
            self.opened = Some(self.snapshot.rows[*place].key());
            self.show(Screen::Detail);
        }
    }

    /// Moves the cursor by `by` rows, at most to the first or the last one.
    pub(super) fn go(&mut self, by: isize) {
        let last = self.order.len().saturating_sub(1);
        self.cursor = self.cursor.saturating_add_signed(by).min(last);
    }

    /// Returns the row number of the cursor.
    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    /// Returns the number of rows that fit on the screen.
    pub(super) fn page(&self) -> usize {
        self.page
    }

    /// Sets the number of rows that fit on the screen.
    pub(super) fn set_page(&mut self, rows: usize) {
        self.page = rows.max(1);
    }

    /// Returns the width of the longest name of the selected rows.
    pub(super) fn longest_name(&self) -> u16 {
        let lengths = self.order.iter().map(|place| {
            let name = &self.snapshot.rows[*place].name;
            format::width(&format::clean(name))
        });
        u16::try_from(lengths.max().unwrap_or(0)).unwrap_or(u16::MAX)
    }

    /// Returns the available data.
    pub(super) fn known(&self) -> Known {
        Known {
            sites: self.snapshot.has_sites(),
            rates: true,
        }
    }

    /// Sorts the rows by a column.
    pub(super) fn sort_by(&mut self, column: Column) {
        self.sort = column;
        self.arrange();
    }

    /// Sorts the rows by the column that is `by` places to the right of the current one.
    pub(super) fn sort_beside(&mut self, by: isize) {
        let columns: Vec<Column> = column::known(self.known())
            .map(|look| look.column)
            .collect();
        let now = columns.iter().position(|column| *column == self.sort);
        let next = now
            .unwrap_or(0)
            .saturating_add_signed(by)
            .min(columns.len() - 1);
        self.sort_by(columns[next]);
    }

    /// Returns the column of the sort order, and true if the order is reversed.
    pub(super) fn sorted(&self) -> (Column, bool) {
        (self.sort, self.reverse)
    }

    /// Reverses the sort order.
    pub(super) fn turn_round(&mut self) {
        self.reverse = !self.reverse;
        self.arrange();
    }

    /// Returns the text of the filter.
    pub(super) fn filter(&self) -> &str {
        self.filter.text()
    }

    /// Sets the text of the filter.
    pub(super) fn set_filter(&mut self, text: &str) {
        let Ok(filter) = text.parse();
        self.filter = filter;
        self.arrange();
    }

    /// Toggles between all rows and those that do not shrink.
    pub(super) fn show_leaks(&mut self) {
        self.leaks = !self.leaks;
        self.arrange();
    }

    /// Toggles between all rows and those with live objects.
    pub(super) fn hide_empty(&mut self) {
        self.full = !self.full;
        self.arrange();
    }

    /// Returns labels of the selections other than the filter.
    pub(super) fn choices(&self) -> Vec<&'static str> {
        let mut words = match self.by {
            By::Site => Vec::new(),
            By::Function => vec!["by function"],
            By::Module => vec!["by module"],
        };
        if self.leaks {
            words.push("not shrinking");
        }
        if self.full {
            words.push("live");
        }
        words
    }

    /// Pauses or resumes the reading.
    pub(super) fn pause(&mut self) {
        self.paused = !self.paused;
    }

    /// Returns true if the reading is paused.
    pub(super) fn paused(&self) -> bool {
        self.paused
    }

    /// Returns the time between two readings.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Sets the time between two readings.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
    }

    /// Returns the time from the start to the last reading.
    pub(super) fn age(&self) -> Duration {
        self.last.saturating_duration_since(self.start)
    }
}
