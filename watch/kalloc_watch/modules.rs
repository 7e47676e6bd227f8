// SPDX-License-Identifier: GPL-2.0-only

//! The code of modules, from their arrival in memory on.
//!
//! The kernel lists a module in sysfs only after it has called functions of the module, those of the
//! module's parameters. Until a module is live, its code is known from the notification of its
//! arrival.

use core::ops::Range;
use kalloc::{
    prelude::*,
    trace::module::{
        self,
        Module, //
    }, //
};
use kernel::str::CString;

kalloc::sites! {
    /// The modules that are being loaded.
    pub(crate) Loading: kmalloc([(CString, Code)]), "watch_loading";
}

/// The addresses of a module's code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Code {
    pub(crate) text: Range<usize>,
    /// The code of the initialization, as long as it exists.
    pub(crate) init_text: Range<usize>,
}

impl Code {
    pub(crate) fn of(module: &Module<'_>) -> Self {
        Code {
            text: module.text(),
            init_text: module.init_text(),
        }
    }

    /// Returns the ranges that are not empty.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = &Range<usize>> {
        [&self.text, &self.init_text]
            .into_iter()
            .filter(|range| !range.is_empty())
    }

    /// Returns the number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.text.len() + self.init_text.len()
    }
}

/// The modules that are being loaded.
pub(crate) struct Modules(KVec<(CString, Code), Loading>);

impl Modules {
    pub(crate) fn new() -> Self {
        Modules(KVec::new())
    }

    /// Adds a module that has arrived.
    pub(crate) fn begin(&mut self, module: &Module<'_>) -> Result {
        let name = CString::try_from_fmt(fmt!("{}", module.name()))?;
        // GFP: The loading of modules sleeps.
        self.0.push((name, Code::of(module)), GFP_KERNEL)?;
        Ok(())
    }

    /// Removes a module that is live, or whose code is about to be freed.
    pub(crate) fn end(&mut self, module: &Module<'_>) {
        self.0
            .retain(|(name, _)| name.to_bytes() != module.name().as_bytes());
    }

    /// Returns the code of a module that runs, or is being loaded. A module whose unloading has
    /// begun has none.
    pub(crate) fn running(&self, name: &CStr) -> Option<Code> {
        self.loading(name).or_else(|| {
            module::with(name, |module| match module.is_going() {
                true => Code::default(),
                false if module.is_live() => Code {
                    text: module.text(),
                    init_text: 0..0,
                },
                false => Code::of(module),
            })
        })
    }

    /// Returns the code of a module whose names exist, including one that is being unloaded.
    pub(crate) fn named(&self, name: &CStr) -> Option<Code> {
        self.loading(name)
            .or_else(|| module::with(name, |module| Code::of(module)))
    }

    fn loading(&self, name: &CStr) -> Option<Code> {
        let is_it = |(known, _): &&(CString, Code)| **known == *name;
        self.0.iter().find(is_it).map(|(_, code)| code.clone())
    }
}
