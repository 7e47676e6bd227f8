// SPDX-License-Identifier: GPL-2.0-only

//! Changes between two snapshots.

use crate::{
    Key,
    Row,
    Snapshot, //
};
use std::collections::HashMap;

/// A row in two snapshots. `before` is `None` if only the later snapshot has the row, `after` if
/// only the earlier one has it.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The row in the earlier snapshot.
    pub before: Option<&'a Row>,
    /// The row in the later snapshot.
    pub after: Option<&'a Row>,
}

/// Returns `after - before`. The result type holds the difference of any two `u64`.
fn difference(before: u64, after: u64) -> i128 {
    i128::from(after) - i128::from(before)
}

impl<'a> Change<'a> {
    /// Returns the name of the row.
    pub fn name(&self) -> &'a str {
        self.after
            .or(self.before)
            .map_or("", |row| row.name.as_str())
    }

    fn of(&self, value: impl Fn(&Row) -> u64) -> i128 {
        difference(self.before.map_or(0, &value), self.after.map_or(0, &value))
    }

    /// Returns the increase of the live objects; negative for a decrease.
    pub fn live(&self) -> i128 {
        self.of(Row::live)
    }

    /// Returns the increase of the bytes; negative for a decrease.
    pub fn bytes(&self) -> i128 {
        self.of(Row::bytes)
    }

    /// Returns the numbers of blocks allocated and freed between the snapshots.
    ///
    /// Returns `None` if the later snapshot does not have the row, if either row has no such
    /// counters, or if a counter decreased. Counters restart at 0 when the site's module is loaded
    /// again.
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

    /// Returns true if any number of the row differs, or if only one snapshot has the row.
    pub fn is_change(&self) -> bool {
        match (self.before, self.after) {
            (Some(before), Some(after)) => before.slab != after.slab || before.site != after.site,
            _ => true,
        }
    }
}

/// Returns the changes of all rows: first the rows of `after` in its order, then the rows that only
/// `before` has.
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
