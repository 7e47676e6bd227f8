// SPDX-License-Identifier: GPL-2.0-only

//! Files in `/proc` and debugfs: the abstractions for drivers, and kalloc's own files.
//!
//! | module | contents |
//! |---|---|
//! | [`debugfs`] | files in `/sys/kernel/debug/kalloc/` |
//! | [`procfs`] | files in `/proc` |
//! | [`seq_file`] | the records that a file shows |
//! | [`slabinfo`] | tables in the format of `/proc/slabinfo` |
//! | [`json`] | JSON text |

pub mod debugfs;
pub mod json;
pub(crate) mod kallocinfo;
pub(crate) mod owner;
pub mod procfs;
pub mod seq_file;
pub(crate) mod sites;
pub mod slabinfo;
