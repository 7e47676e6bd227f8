// SPDX-License-Identifier: GPL-2.0

//! What cannot be read, and where.

/// A text that is not what it should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: {what}")]
pub struct ParseError {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl ParseError {
    /// An error in this line.
    pub(crate) fn at(line: usize, what: impl Into<String>) -> Self {
        Self {
            line,
            what: what.into(),
        }
    }
}

/// The start of a text that may be long, for an error to quote.
pub(crate) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let mut start: String = text.chars().take(MOST).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("`{}`", start.escape_debug())
}
