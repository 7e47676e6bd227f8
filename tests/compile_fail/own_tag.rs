// SPDX-License-Identifier: GPL-2.0-only
//! A site has one tag. A second one would count at a site without counters.
//! error: requires an `unsafe impl` declaration

kalloc::sites! {
    Words: kmalloc(u64), "words";
}

pub enum Alias {}

impl kalloc::Tag for Alias {
    type Family = kalloc::accounting::family::Kmalloc;
    type Object = [u8];

    fn site() -> &'static kalloc::Site {
        <Words as kalloc::Tag>::site()
    }
}
