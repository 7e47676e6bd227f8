// SPDX-License-Identifier: GPL-2.0-only

//! The actions of the keys.

use super::app::{
    App,
    Screen, //
};
use crate::{
    cli::Seconds,
    column, //
};
use crossterm::event::{
    KeyCode,
    KeyEvent,
    KeyModifiers, //
};
use std::time::Duration;

/// The display's reaction to a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// Draw the screen.
    Stay,
    /// End the program.
    Quit,
    /// Stop the program until it is continued.
    Suspend,
    /// Restart the wait for the next reading with the new interval.
    Pace,
}

/// The keys other than those of the columns, with their explanations for the help.
pub(super) const KEYS: [(&str, &str); 14] = [
    ("? F1", "this help"),
    ("q Ctrl-C", "quit; q leaves this help and the details first"),
    (
        "Up Down k j",
        "move the cursor or the text; PgUp, PgDn, Home and End move further",
    ),
    ("Enter", "show all data of the row at the cursor"),
    (
        "/",
        "type words that rows must contain; Enter keeps them, Esc drops them",
    ),
    ("< >", "sort by the next column to the left or right"),
    ("r", "reverse the sort order"),
    ("b", "add up the rows of functions, of modules, or none"),
    ("L", "only rows with live objects, not shrunk for 10 s"),
    ("z", "hide rows without live objects"),
    ("Space", "pause or resume the reading"),
    ("+ -", "read more or less often"),
    ("Ctrl-L", "redraw the screen"),
    ("Ctrl-Z", "stop the program; fg continues it"),
];

impl App {
    /// Performs the action of a key.
    pub(super) fn press(&mut self, key: KeyEvent) -> Outcome {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Outcome::Quit,
                KeyCode::Char('z') => Outcome::Suspend,
                KeyCode::Char('l') => {
                    self.redraw();
                    Outcome::Stay
                }
                _ => Outcome::Stay,
            };
        }
        if self.typing.is_some() {
            self.press_typing(key.code);
        } else if self.screen == Screen::Table {
            return self.press_table(key.code);
        } else {
            self.press_text(key.code);
        }
        Outcome::Stay
    }

    /// Performs the action of a key in the details and the help.
    fn press_text(&mut self, code: KeyCode) {
        match code {
            KeyCode::Char('q' | '?') | KeyCode::Esc | KeyCode::Enter | KeyCode::F(1) => {
                self.show(Screen::Table);
            }
            KeyCode::Char(' ') => self.pause(),
            KeyCode::Up | KeyCode::Char('k') => self.above = self.above.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.above = self.above.saturating_add(1),
            KeyCode::PageUp | KeyCode::Home => self.above = 0,
            KeyCode::PageDown | KeyCode::End => self.above = usize::MAX,
            _ => (),
        }
    }

    fn press_typing(&mut self, code: KeyCode) {
        let mut text = self.typing.take().unwrap_or_default();
        match code {
            KeyCode::Enter => return,
            KeyCode::Esc => return self.set_filter(""),
            KeyCode::Backspace => {
                text.pop();
            }
            KeyCode::Char(c) => text.push(c),
            _ => (),
        }
        self.set_filter(&text);
        self.typing = Some(text);
    }

    fn press_table(&mut self, code: KeyCode) -> Outcome {
        let page = isize::from(i16::try_from(self.page()).unwrap_or(i16::MAX));
        match code {
            KeyCode::Char('q') => return Outcome::Quit,
            KeyCode::Char('?') | KeyCode::F(1) => self.show(Screen::Help),
            KeyCode::Enter => self.open(),
            KeyCode::Up | KeyCode::Char('k') => self.go(-1),
            KeyCode::Down | KeyCode::Char('j') => self.go(1),
            KeyCode::PageUp => self.go(-page),
            KeyCode::PageDown => self.go(page),
            KeyCode::Home => self.go(isize::MIN),
            KeyCode::End => self.go(isize::MAX),
            KeyCode::Char('/') => self.typing = Some(self.filter().to_owned()),
            KeyCode::Esc => self.set_filter(""),
            KeyCode::Char('<') | KeyCode::Left => self.sort_beside(-1),
            KeyCode::Char('>') | KeyCode::Right => self.sort_beside(1),
            KeyCode::Char('r') => self.turn_round(),
            KeyCode::Char('b') => self.group(),
            KeyCode::Char('L') => self.show_leaks(),
            KeyCode::Char('z') => self.hide_empty(),
            KeyCode::Char(' ') => self.pause(),
            KeyCode::Char('+') => return self.pace(0.5),
            KeyCode::Char('-') => return self.pace(2.0),
            KeyCode::Char(c) => {
                if let Some(look) = column::known(self.known()).find(|look| look.key == c) {
                    self.sort_by(look.column);
                }
            }
            _ => (),
        }
        Outcome::Stay
    }

    fn pace(&mut self, factor: f64) -> Outcome {
        let (least, most) = Seconds::RANGE;
        let seconds = (self.interval().as_secs_f64() * factor).clamp(least, most);
        self.set_interval(Duration::from_secs_f64(seconds));
        Outcome::Pace
    }
}
