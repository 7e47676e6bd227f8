// SPDX-License-Identifier: GPL-2.0-only
//! H40: a block cannot have zero pages.
//! error: no block has so many pages

use kalloc::PageCount;

#[inline(never)]
pub fn case() -> PageCount {
    PageCount::of::<0>()
}
