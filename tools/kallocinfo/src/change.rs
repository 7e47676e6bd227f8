// SPDX-License-Identifier: GPL-2.0

//! What changed between two snapshots.

use crate::{
    Key,
    Row,
    Snapshot, //
};
use std::collections::HashMap;

/// A row then and now. One of them is missing if it came or went in between.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The row then.
    pub before: Option<&'a Row>,
    /// The row now.
    pub after: Option<&'a Row>,
}

/// How much two numbers differ: wide enough for any two.
fn difference(before: u64, after: u64) -> i128 {
    i128::from(after) - i128::from(before)
}

impl<'a> Change<'a> {
    /// The name of the row.
    pub fn name(&self) -> &'a str {
        self.after
            .or(self.before)
            .map_or("", |row| row.name.as_str())
    }

    fn of(&self, value: impl Fn(&Row) -> u64) -> i128 {
        difference(self.before.map_or(0, &value), self.after.map_or(0, &value))
    }

    /// By how much live objects became more.
    pub fn live(&self) -> i128 {
        self.of(Row::live)
    }

    /// By how much bytes became more.
    pub fn bytes(&self) -> i128 {
        self.of(Row::bytes)
    }

    /// Blocks allocated and freed in between. Unknown if they are not counted, or were counted anew: if
    /// the site's module was loaded again, they start at 0.
    pub fn events(&self) -> Option<(u64, u64)> {
        let (allocs, frees) = self.after?.events()?;
        let (allocs_before, frees_before) = match self.before {
            Some(before) => before.events()?,
            None => (0, 0),
        };
        Some((
            allocs.checked_sub(allocs_before)?,
            frees.checked_sub(frees_before)?,
        ))
    }

    /// Whether anything is other than it was.
    pub fn is_change(&self) -> bool {
        match (self.before, self.after) {
            (Some(before), Some(after)) => before.slab != after.slab || before.site != after.site,
            _ => true,
        }
    }
}

/// Every row of the two: first those of `after`, in its order, then those that have gone.
pub fn diff<'a>(before: &'a Snapshot, after: &'a Snapshot) -> Vec<Change<'a>> {
    let mut left: HashMap<Key, &Row> = before.rows.iter().map(|row| (row.key(), row)).collect();
    let mut changes: Vec<Change<'a>> = after
        .rows
        .iter()
        .map(|row| Change {
            before: left.remove(&row.key()),
            after: Some(row),
        })
        .collect();
    changes.extend(
        before
            .rows
            .iter()
            .filter(|row| left.contains_key(&row.key()))
            .map(|row| Change {
                before: Some(row),
                after: None,
            }),
    );
    changes
}
