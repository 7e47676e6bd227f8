// SPDX-License-Identifier: GPL-2.0

//! The examples of the crate's documentation, as a KUnit suite. They run when the module is loaded.
//!
//! Each is a case; `scripts/kalloc_env/doctests.py` makes them from the comments in `rust/`.

use kalloc::Site;
use kernel::prelude::*;
#[cfg(not(LINUX_7_2))]
use kernel::ModuleMetadata;

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

/// The module, as `init` is given it: what an example has for its own.
fn module() -> &'static ThisModule {
    #[cfg(LINUX_7_2)]
    return &THIS_MODULE;
    #[cfg(not(LINUX_7_2))]
    &LocalModule::THIS_MODULE
}

/// The sites that an example declares: a driver registers its own, and leaves nothing in them.
struct Sites(&'static [fn() -> &'static Site]);

impl Sites {
    fn new() -> Self {
        Sites(&[])
    }

    /// Registers `sites`; returns whether that could be done.
    fn register(&mut self, sites: &'static [fn() -> &'static Site]) -> bool {
        self.0 = sites;
        kalloc::register(module(), sites).is_ok()
    }

    /// Whether nothing is left.
    fn are_empty(&self) -> bool {
        self.0.iter().all(|site| site().totals().live() == 0)
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
