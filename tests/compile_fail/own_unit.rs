// SPDX-License-Identifier: GPL-2.0
//! The size of a site's objects is that of their type, whatever the type's author says.
//! error: the size for values of type `[u8]` cannot be known

use kalloc::accounting::site::Object;

/// Of a size that is not known when compiling.
struct Forged([u8]);

impl Object for Forged {
    const UNIT: usize = usize::MAX;
}

kalloc::sites! {
    pub Sites: kmalloc(Forged), "compile_unit";
}
