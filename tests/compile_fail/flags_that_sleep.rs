// SPDX-License-Identifier: GPL-2.0-only
//! H65: a function that must not sleep does not accept flags that sleep.
//! error: mismatched types

use kalloc::{
    sys::gfp::Nonblocking, //
    Gfp,
    Order,
    Pages,
};
use kernel::prelude::*;

kalloc::sites! {
    pub Blocks: pages, "compile_block";
}

fn under_a_lock(gfp: Nonblocking) -> Result<Pages<Blocks>> {
    Ok(Pages::zeroed(Order::ZERO, gfp)?)
}

#[inline(never)]
pub fn case() -> Result<u8> {
    let _ = under_a_lock(Nonblocking::ATOMIC)?;
    Ok(under_a_lock(Gfp::KERNEL)?[0])
}
