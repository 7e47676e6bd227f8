// SPDX-License-Identifier: GPL-2.0-only

//! The selection of rows.

use kallocinfo::Row;
use std::convert::Infallible;
use std::str::FromStr;

/// Words that a row must contain: all of them, in any case and any order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    text: String,
    words: Vec<String>,
}

impl Filter {
    /// Returns the text as the user typed it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns true if the row contains all words.
    pub(crate) fn matches(&self, row: &Row) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let mut told = row.name.to_lowercase();
        if let Some(site) = &row.site {
            let function = site.function.as_ref();
            for text in [&site.family, &site.module, &site.file, &site.type_name]
                .into_iter()
                .chain(function)
            {
                told.push('\n');
                told.push_str(&text.to_lowercase());
            }
        }
        self.words.iter().all(|word| told.contains(word))
    }
}

impl FromStr for Filter {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self {
            text: text.to_owned(),
            words: text.split_whitespace().map(str::to_lowercase).collect(),
        })
    }
}
