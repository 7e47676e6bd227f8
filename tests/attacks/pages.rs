// SPDX-License-Identifier: GPL-2.0-only

//! Attacks on pages, areas and per-CPU memory: memory shortage, large requests, and too many
//! references.

use crate::attack::Attack;

mod pressure;
mod references;
mod sizes;

kalloc::sites! {
    pub(crate) Blocks: pages, "attack_block";
    pub(crate) Arrays: pages, "attack_page_array";
    pub(crate) Areas: kvmalloc([u8]), "attack_area";
}

pub(crate) const ATTACKS: &[Attack] = &[
    ("oom_killer_despite_noretry", pressure::noretry),
    ("io_despite_noio", pressure::noio),
    ("footprints_of_shrunk_areas", sizes::shrunk),
    ("bytes_mapped_without_guard", sizes::mapped),
    ("large_per_cpu_values", sizes::per_cpu),
    ("drops_with_interrupts_disabled", pressure::drops),
    ("forgotten_references", references::forgotten),
    ("unique_while_referenced", references::unique),
];
