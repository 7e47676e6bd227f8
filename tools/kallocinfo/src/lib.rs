// SPDX-License-Identifier: GPL-2.0

//! What a kernel's allocators hold, as files say: `/proc/slabinfo`, `/proc/kallocinfo`, which has its
//! format, and kalloc's `sites.json`.
//!
//! A [`Snapshot`] is what one reading of them said. [`diff`] compares two, a [`History`] follows many,
//! and [`prometheus`] writes one for a metrics collector. Nothing here opens a file or asks the time.
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
mod history;
mod json;
pub mod prometheus;
mod row;
mod site;
mod slab;
mod snapshot;

pub use change::{
    diff,
    Change, //
};
pub use error::ParseError;
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
