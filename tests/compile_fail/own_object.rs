// SPDX-License-Identifier: GPL-2.0-only
//! H85: the object size of a site is determined by its type, and cannot be overridden.
//! error: site::sealed::Object` is not satisfied

use kalloc::{
    accounting::site::Object, //
    Tag,
};

pub trait Mine {}

impl Object for dyn Mine {
    const UNIT: usize = usize::MAX;
}

kalloc::sites! {
    pub Mines: kmalloc(dyn Mine), "compile_mine";
}

#[inline(never)]
pub fn case() -> usize {
    Mines::site().unit()
}
