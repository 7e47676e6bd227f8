// SPDX-License-Identifier: GPL-2.0-only

//! Accounting: allocation sites, their counters, and the registry of all sites.
//!
//! | module | contents |
//! |---|---|
//! | [`family`] | the allocator families as types |
//! | [`site`] | a named allocation site; [`sites!`](crate::sites) declares it |
//! | [`stats`] | the counters of a site, and their sums over all CPUs |
//!
//! An owner type counts at its site, and does not use the registry. A file reads the registry, and
//! does not use the owner types.

#[doc(hidden)]
pub mod call_site;
pub mod family;
pub(crate) mod linked;
#[doc(hidden)]
pub mod param;
pub(crate) mod registry;
pub mod site;
pub(crate) mod size_histogram;
#[doc(hidden)]
pub mod static_counters;
pub mod stats;
pub(crate) mod watermark;
