// SPDX-License-Identifier: GPL-2.0

//! The examples of the crate's documentation, as a KUnit suite. They run when the module is loaded.
//!
//! Each is a case; `scripts/kalloc_dev/doc/doctests.py` makes them from the comments in `rust/`.

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

/// The suite is found by KUnit once `init` is done.
struct KallocDoctests;

impl kernel::Module for KallocDoctests {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(KallocDoctests)
    }
}

/// Whether an example has come to its end; says where it was left, if not.
fn succeeded<E: core::fmt::Debug>(place: &str, result: &Result<(), E>) -> bool {
    if let Err(error) = result {
        pr_err!("{place}: {error:?}\n");
    }
    result.is_ok()
}

include!(env!("KALLOC_DOCTESTS"));
