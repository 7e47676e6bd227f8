// SPDX-License-Identifier: GPL-2.0-only

//! Syntax errors and their positions.

/// A syntax error in the text of a file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: {what}")]
pub struct ParseError {
    /// The line number, starting at 1.
    pub line: usize,
    /// The description of the error.
    pub what: String,
}

impl ParseError {
    /// Returns an error in this line.
    pub(crate) fn at(line: usize, what: impl Into<String>) -> Self {
        Self {
            line,
            what: what.into(),
        }
    }
}

/// Returns the start of a text, in quotes and with control characters escaped, for an error
/// message.
pub(crate) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let mut start: String = text.chars().take(MOST).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("`{}`", start.escape_debug())
}
