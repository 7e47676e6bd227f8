// SPDX-License-Identifier: GPL-2.0-only

//! The environment of an example: a module, and the registration of the example's sites.

use kalloc::Site;
use kernel::prelude::*;
#[cfg(not(LINUX_7_2))]
use kernel::ModuleMetadata;

/// Returns the module that an example uses as its own, as the argument of `init`.
pub(crate) fn module() -> &'static ThisModule {
    #[cfg(LINUX_7_2)]
    return &crate::THIS_MODULE;
    #[cfg(not(LINUX_7_2))]
    &crate::LocalModule::THIS_MODULE
}

/// The sites that an example declares. Like a driver, an example registers its sites and leaves
/// nothing live at them.
pub(crate) struct Sites(&'static [fn() -> &'static Site]);

impl Sites {
    pub(crate) fn new() -> Self {
        Sites(&[])
    }

    /// Registers `sites`, unless an earlier run of the example has done so.
    pub(crate) fn register(&mut self, sites: &'static [fn() -> &'static Site]) -> Result {
        if sites.iter().any(|site| !site().is_registered()) {
            kalloc::register(module(), sites)?;
        }
        self.0 = sites;
        Ok(())
    }

    /// Returns whether nothing is live at the sites.
    pub(crate) fn are_empty(&self) -> bool {
        self.0.iter().all(|site| site().totals().live() == 0)
    }
}
