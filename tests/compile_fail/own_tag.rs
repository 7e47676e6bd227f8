// SPDX-License-Identifier: GPL-2.0
//! A site counts as its own tag has it: a second one would have it count where it has no counters.
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
