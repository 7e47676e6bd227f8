// SPDX-License-Identifier: GPL-2.0-only
//! H62: pages cannot be freed before their mapping.
//! error: cannot move out of `pages` because it is borrowed

use kalloc::{
    Mapping,
    PageArray, //
};
use kernel::prelude::*;

kalloc::sites! {
    pub Blocks: pages, "compile_block";
}

#[inline(never)]
pub fn case() -> Result<u8> {
    let mut pages = PageArray::<Blocks>::zeroed(2, GFP_KERNEL)?;
    let mapping = Mapping::new(&mut pages)?;
    drop(pages);
    Ok(mapping[0])
}
