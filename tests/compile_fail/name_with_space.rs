// SPDX-License-Identifier: GPL-2.0-only
//! H04: a name with a space would break a line of slabinfo.
//! error: a site's name: 1 to 63 printable characters

kalloc::sites! {
    pub Words: cache(u64), "compile word";
}

#[inline(never)]
pub fn case() -> &'static str {
    <Words as kalloc::Tag>::site().name()
}
