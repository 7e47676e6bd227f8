// SPDX-License-Identifier: GPL-2.0-only

//! Tables in the format of `/proc/slabinfo`, version 2.1.
//!
//! Programs that parse `/proc/slabinfo` can parse these files as well. They therefore have exactly
//! that format: two header lines, then rows of sixteen fields.
//!
//! Reference: `slabinfo(5)`

use crate::fs::seq_file::SeqFile;

/// The size limit of a name in bytes.
pub const MAX_NAME: usize = 63;

/// A row of the table.
///
/// # Examples
///
/// ```
/// use kalloc::fs::{
///     seq_file::{SeqFile, SeqOps},
///     slabinfo::{self, Row},
/// };
///
/// struct Table;
///
/// impl SeqOps for Table {
///     fn start(&self, pos: u64) -> Option<u64> {
///         (pos < 2).then_some(pos)
///     }
///
///     fn show(&self, pos: u64, out: &mut SeqFile) {
///         if pos == 0 {
///             slabinfo::header(out);
///         } else {
///             let row = Row {
///                 objects: 3,
///                 capacity: 4,
///                 object_size: 1024,
///                 objects_per_slab: 4,
///                 pages_per_slab: 1,
///                 slabs: 1,
///             };
///             row.show("example", out);
///         }
///     }
/// }
///
/// assert_eq!(Table.start(1), Some(1));
/// assert!("example".len() <= slabinfo::MAX_NAME);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Live objects.
    pub objects: u64,
    /// Objects that fit into the slabs, at least `objects`.
    pub capacity: u64,
    /// The size of an object in bytes.
    pub object_size: u64,
    /// Objects in a slab.
    pub objects_per_slab: u64,
    /// Pages of a slab.
    pub pages_per_slab: u64,
    /// Slabs in use.
    pub slabs: u64,
}

impl Row {
    /// Writes the row.
    ///
    /// The name must have at most [`MAX_NAME`] bytes, without a blank or a colon, and not only
    /// digits.
    pub fn show(&self, name: &str, out: &mut SeqFile) {
        out.left(17, name);
        out.column(6, self.objects);
        out.column(6, self.capacity);
        out.column(6, self.object_size);
        out.column(4, self.objects_per_slab);
        out.column(4, self.pages_per_slab);
        out.write(b" : tunables    0    0    0 : slabdata");
        out.column(6, self.slabs);
        out.column(6, self.slabs);
        out.write(b"      0\n");
    }
}

/// Writes the header lines.
///
/// # Examples
///
/// ```
/// use kalloc::fs::{seq_file::SeqFile, slabinfo};
///
/// fn show_empty(out: &mut SeqFile) {
///     slabinfo::header(out);
/// }
/// ```
pub fn header(out: &mut SeqFile) {
    out.write(
        b"slabinfo - version: 2.1\n\
          # name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> \
          : tunables <limit> <batchcount> <sharedfactor> \
          : slabdata <active_slabs> <num_slabs> <sharedavail>\n",
    );
}
