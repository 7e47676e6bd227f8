// SPDX-License-Identifier: GPL-2.0-only
//! Safe code cannot count frees that did not happen, which would destroy the cache too early.
//! error: is unsafe and requires unsafe

kalloc::sites! {
    Words: cache(u64), "words";
}

pub fn forge() {
    <Words as kalloc::Tag>::count_object::<8>();
}
