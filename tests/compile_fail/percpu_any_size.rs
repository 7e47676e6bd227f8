// SPDX-License-Identifier: GPL-2.0-only
//! Static per-CPU counters are only for sites with an object size.
//! error: `percpu` is for sites whose objects all have one size

kalloc::sites! {
    pub Bytes: kmalloc([u8]), "compile_percpu", percpu;
}

#[inline(never)]
pub fn case() -> bool {
    use kalloc::Tag;
    Bytes::static_counters().is_some()
}
