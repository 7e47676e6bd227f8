// SPDX-License-Identifier: GPL-2.0-only

//! A file whose name has a quotation mark.

kalloc::sites! {
    pub(crate) Odd: kmalloc(u64), "attack_odd_file";
}
