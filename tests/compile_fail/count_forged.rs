// SPDX-License-Identifier: GPL-2.0
//! Who says that objects are freed which are not would have their cache destroyed.
//! error: is unsafe and requires unsafe

kalloc::sites! {
    Words: cache(u64), "words";
}

pub fn forge() {
    <Words as kalloc::Tag>::count_object::<8>();
}
