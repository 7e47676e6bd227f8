// SPDX-License-Identifier: GPL-2.0-only

//! Parser and comparison of the files in which a kernel exposes the memory of its allocators.
//!
//! These files are `/proc/slabinfo`, `/proc/kallocinfo` and `/proc/kallocwatch`, which have the format
//! of slabinfo, and kalloc's `sites.json` and `watch.json`. A [`Snapshot`] has the contents of one reading. [`diff`] compares two
//! snapshots, a [`History`] follows many, and [`prometheus`] formats one for a metrics collector.
//! The crate accesses neither files nor clocks.
//!
//! # Examples
//!
//! ```
//! use kallocinfo::Snapshot;
//!
//! let text = "slabinfo - version: 2.1\n# name <active_objs> ...\n\
//!     dentry 40 42 192 21 1 : tunables 0 0 0 : slabdata 2 2 0\n";
//! let snapshot = Snapshot::parse(text, 4096)?;
//! assert_eq!(snapshot.totals().bytes, 8192);
//! # Ok::<(), kallocinfo::ParseError>(())
//! ```

mod change;
mod error;
mod group;
mod history;
mod json;
pub mod prometheus;
mod row;
mod site;
mod slab;
mod snapshot;
mod watch;

pub use change::{
    diff,
    Change, //
};
pub use error::ParseError;
pub use group::By;
pub use history::{
    History,
    Sample,
    Track, //
};
pub use row::{
    Key,
    Row, //
};
pub use site::{
    Failures,
    OnCpu,
    Site,
    SizeClass, //
};
pub use slab::Slab;
pub use snapshot::{
    Snapshot,
    Totals, //
};
pub use watch::{
    Watch,
    Watched, //
};
