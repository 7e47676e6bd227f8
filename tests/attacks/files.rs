// SPDX-License-Identifier: GPL-2.0-only

//! Attacks on files: records and commands that fail, never end or are too large, invalid names, and
//! files that outlive their owners.

use crate::attack::Attack;

mod errors;
pub(crate) mod lives;
mod names;
mod records;

kalloc::sites! {
    pub(crate) Boxes: kmalloc(u64), "attack_file_box";
}

pub(crate) const ATTACKS: &[Attack] = &[
    ("failing_records", errors::records),
    ("failing_commands", errors::commands),
    ("endless_records", records::endless),
    ("huge_records", records::huge),
    ("odd_records", records::odd),
    ("slow_records", records::slow),
    ("proc_names", names::proc),
    ("debugfs_names", names::debugfs),
    ("files_in_atomic_context", lives::atomic),
    ("forgotten_files", |attacker| {
        lives::forgotten(attacker.module)
    }),
    ("forgotten_directory", lives::directory),
    ("files_never_dropped", lives::never_dropped),
];
