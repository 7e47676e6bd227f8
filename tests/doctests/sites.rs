// SPDX-License-Identifier: GPL-2.0

//! What an example has that it does not make: a module, and who registers its sites.

use kalloc::Site;
use kernel::prelude::*;
#[cfg(not(LINUX_7_2))]
use kernel::ModuleMetadata;

/// The module, as `init` is given it: what an example has for its own.
pub(crate) fn module() -> &'static ThisModule {
    #[cfg(LINUX_7_2)]
    return &crate::THIS_MODULE;
    #[cfg(not(LINUX_7_2))]
    &crate::LocalModule::THIS_MODULE
}

/// The sites that an example declares: a driver registers its own, and leaves nothing in them.
pub(crate) struct Sites(&'static [fn() -> &'static Site]);

impl Sites {
    pub(crate) fn new() -> Self {
        Sites(&[])
    }

    /// Registers `sites`, unless that was done when the example last ran.
    pub(crate) fn register(&mut self, sites: &'static [fn() -> &'static Site]) -> Result {
        if sites.iter().any(|site| !site().is_registered()) {
            kalloc::register(module(), sites)?;
        }
        self.0 = sites;
        Ok(())
    }

    /// Whether nothing is left.
    pub(crate) fn are_empty(&self) -> bool {
        self.0.iter().all(|site| site().totals().live() == 0)
    }
}
