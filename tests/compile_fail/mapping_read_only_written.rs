// SPDX-License-Identifier: GPL-2.0-only
//! H29: a read-only mapping cannot be written.
//! error: cannot assign to data in dereference of `Mapping

use kalloc::{
    Mapping,
    PageArray, //
};
use kernel::prelude::*;

kalloc::sites! {
    pub Blocks: pages, "compile_block";
}

#[inline(never)]
pub fn case(pages: &mut PageArray<Blocks>) -> Result {
    let mut mapping = Mapping::read_only(pages)?;
    mapping[0] = 1;
    Ok(())
}
