// SPDX-License-Identifier: GPL-2.0-only
//! Safe code cannot allocate pages that no site counts.
//! error: is unsafe and requires unsafe

use kalloc::{
    page::BlockKind,
    sys::gfp::Gfp, //
};

pub fn uncounted<K: BlockKind>(size: K::Size) -> Option<K> {
    K::alloc(size, Gfp::KERNEL)
}
