// SPDX-License-Identifier: GPL-2.0
//! Safe code cannot allocate pages that no site counts.
//! error: is unsafe and requires unsafe

use kalloc::{
    page::AnyHandle,
    sys::gfp::Gfp, //
};

pub fn uncounted<H: AnyHandle>(size: H::Size) -> Option<H> {
    H::alloc(size, Gfp::KERNEL)
}
