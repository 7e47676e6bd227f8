// SPDX-License-Identifier: GPL-2.0-only
//! H04: readers of slabinfo would take a name of digits for a number.
//! error: a site's name: 1 to 63 printable characters

kalloc::sites! {
    pub Words: cache(u64), "4711";
}

#[inline(never)]
pub fn case() -> &'static str {
    <Words as kalloc::Tag>::site().name()
}
