// SPDX-License-Identifier: GPL-2.0
//! Pages that no site counts are not to be had.
//! error: is unsafe and requires unsafe

use kalloc::{
    page::AnyHandle,
    sys::gfp::Gfp, //
};

pub fn uncounted<H: AnyHandle>(size: H::Size) -> Option<H> {
    H::alloc(size, Gfp::KERNEL)
}
