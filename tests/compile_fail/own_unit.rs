// SPDX-License-Identifier: GPL-2.0-only
//! The object size of a site is the size of its type, whatever the author of the type declares.
//! error: the size for values of type `[u8]` cannot be known

use kalloc::accounting::site::Object;

/// A type without a size at compile time.
struct Forged([u8]);

impl Object for Forged {
    const UNIT: usize = usize::MAX;
}

kalloc::sites! {
    pub Sites: kmalloc(Forged), "compile_unit";
}
