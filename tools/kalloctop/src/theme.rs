// SPDX-License-Identifier: GPL-2.0

//! Colours and characters. Nothing is said by colour alone.

use ratatui::style::{
    Color,
    Modifier,
    Style, //
};
use std::env;

/// What a terminal can show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Theme {
    /// Whether to use colours.
    pub(crate) colours: bool,
    /// Whether to keep to ASCII characters.
    pub(crate) ascii: bool,
}

impl Theme {
    /// What the environment says: NO_COLOR, as <https://no-color.org> has it, and the locale.
    pub(crate) fn from_environment(ascii: bool) -> Self {
        let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let locale = set("LC_ALL")
            .or_else(|| set("LC_CTYPE"))
            .or_else(|| set("LANG"));
        let utf8 = locale.is_some_and(|name| {
            let name = name.to_lowercase();
            name.ends_with("utf-8") || name.ends_with("utf8")
        });
        Self {
            colours: set("NO_COLOR").is_none(),
            ascii: ascii || !utf8,
        }
    }

    fn colour(self, colour: Color) -> Style {
        if self.colours {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    /// The name of a value.
    pub(crate) fn label(self) -> Style {
        self.colour(Color::Cyan)
    }

    /// A heading.
    pub(crate) fn title(self) -> Style {
        self.colour(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// The line with the columns' names.
    pub(crate) fn heads(self) -> Style {
        self.colour(Color::Green).add_modifier(Modifier::REVERSED)
    }

    /// The column that rows are sorted by, in that line.
    pub(crate) fn sorted(self) -> Style {
        self.heads()
            .add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
    }

    /// The row under the cursor.
    pub(crate) fn cursor(self) -> Style {
        if self.colours {
            Style::new().bg(Color::DarkGray)
        } else {
            Style::new().add_modifier(Modifier::REVERSED)
        }
    }

    /// What became more.
    pub(crate) fn more(self) -> Style {
        self.colour(Color::LightRed)
    }

    /// What became less.
    pub(crate) fn less(self) -> Style {
        self.colour(Color::LightGreen)
    }

    /// A bar or a curve.
    pub(crate) fn bar(self) -> Style {
        self.colour(Color::Blue)
    }

    /// What went wrong.
    pub(crate) fn wrong(self) -> Style {
        self.colour(Color::LightRed).add_modifier(Modifier::BOLD)
    }
}
