// SPDX-License-Identifier: GPL-2.0-only

//! Colors and characters. The display conveys no information by color alone.

use ratatui::style::{
    Color,
    Modifier,
    Style, //
};
use std::env;

/// The capabilities of a terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Theme {
    /// True if the terminal may show colors.
    pub(crate) colours: bool,
    /// True if the terminal shows ASCII characters only.
    pub(crate) ascii: bool,
}

impl Theme {
    /// Returns the theme that the environment requests by `NO_COLOR` (<https://no-color.org>) and
    /// by the locale.
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

    /// Returns the style of the label of a value.
    pub(crate) fn label(self) -> Style {
        self.colour(Color::Cyan)
    }

    /// Returns the style of a heading.
    pub(crate) fn title(self) -> Style {
        self.colour(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// Returns the style of the line with the columns' titles.
    pub(crate) fn heads(self) -> Style {
        self.colour(Color::Green).add_modifier(Modifier::REVERSED)
    }

    /// Returns the style of the title of the column by which rows are sorted.
    pub(crate) fn sorted(self) -> Style {
        self.heads()
            .add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
    }

    /// Returns the style of the row at the cursor.
    pub(crate) fn cursor(self) -> Style {
        if self.colours {
            Style::new().bg(Color::DarkGray)
        } else {
            Style::new().add_modifier(Modifier::REVERSED)
        }
    }

    /// Returns the style of an increase.
    pub(crate) fn more(self) -> Style {
        self.colour(Color::LightRed)
    }

    /// Returns the style of a decrease.
    pub(crate) fn less(self) -> Style {
        self.colour(Color::LightGreen)
    }

    /// Returns the style of a bar or a curve.
    pub(crate) fn bar(self) -> Style {
        self.colour(Color::Blue)
    }

    /// Returns the style of an error.
    pub(crate) fn wrong(self) -> Style {
        self.colour(Color::LightRed).add_modifier(Modifier::BOLD)
    }
}
