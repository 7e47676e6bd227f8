// SPDX-License-Identifier: GPL-2.0
//! H40: a block of no pages.
//! error: no block has so many pages

use kalloc::PageCount;

#[inline(never)]
pub fn case() -> PageCount {
    PageCount::of::<0>()
}
