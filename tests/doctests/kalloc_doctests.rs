// SPDX-License-Identifier: GPL-2.0-only

//! The examples in the crate's documentation, as a KUnit suite. They run when the module is loaded.
//!
//! Each example is a case; `scripts/kalloc_dev/doc/doctests.py` generates them from the comments in
//! `rust/`.

use kernel::prelude::*;
use sites::{
    module,
    Sites, //
};

mod sites;

module! {
    type: KallocDoctests,
    name: "kalloc_doctests",
    authors: ["The kalloc authors"],
    description: "The examples of kalloc's documentation",
    license: "GPL",
}

/// The module. KUnit runs the suite after `init` has returned.
struct KallocDoctests;

impl kernel::Module for KallocDoctests {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(KallocDoctests)
    }
}

/// Returns whether an example has completed. Logs the place where it failed.
fn succeeded<E: core::fmt::Debug>(place: &str, result: &Result<(), E>) -> bool {
    if let Err(error) = result {
        pr_err!("{place}: {error:?}\n");
    }
    result.is_ok()
}

include!(env!("KALLOC_DOCTESTS"));
