// SPDX-License-Identifier: GPL-2.0-only

//! Attacks on slab caches: names and sizes that the kernel warns about, forged fields and locked
//! keys. Others use a cache in its own destructors and constructors, in interrupts, or while
//! readers see freed objects.

use crate::attack::Attack;
use kalloc::slab::TypesafeByRcu;

mod fields;
mod interrupts;
mod keys;
mod leaks;
mod mixture;
mod reentry;
mod shapes;

pub(crate) use self::{
    keys::Key,
    reentry::{
        Count,
        Reader,
        Repeated, //
    },
};

kalloc::sites! {
    pub(crate) Triples: cache([u64; 3]), "attack_triple";
    pub(crate) PerCpuTriples: cache([u64; 3]), "attack_percpu_triple", percpu;
    pub(crate) Locked: cache(TypesafeByRcu<Key, [u64; 4]>), "attack_locked";
    pub(crate) Counts: cache(Count), "attack_count";
    pub(crate) Repeats: cache(Repeated), "attack_repeated";
    pub(crate) Readers: cache(TypesafeByRcu<(), Reader>), "attack_reader";
    pub(crate) Sessions: cache(fields::Session), "attack_session";
    pub(crate) Saturated: cache(TypesafeByRcu<(), u64>), "attack_saturated";
    pub(crate) Giants: cache([u8; 4 << 20]), "attack_giant";
    pub(crate) MadeGiants: cache(shapes::Giant), "attack_made_giant";
    pub(crate) Aligned: cache(shapes::Aligned), "attack_aligned";
    pub(crate) OnPages: cache(shapes::OnPages), "attack_on_pages";
    pub(crate) Boxes: kmalloc(u64), "attack_box";
    pub(crate) Vecs: kmalloc([u64]), "attack_vec";
    pub(crate) Tables: kvmalloc([u64; 1 << 16]), "attack_table";
    pub(crate) Logs: vmalloc([u64]), "attack_log";
}

pub(crate) const ATTACKS: &[Attack] = &[
    ("cache_names", shapes::names),
    ("cache_giants", shapes::giants),
    ("cache_alignments", shapes::alignments),
    ("forged_field", fields::forged),
    ("moving_field", fields::moving),
    ("field_elsewhere", fields::elsewhere),
    ("locked_key", keys::locked),
    ("reuse_under_reader", keys::reused),
    ("saturated_references", keys::saturated),
    ("destructors_that_allocate", reentry::destructors),
    ("constructors_that_allocate", reentry::constructors),
    ("owners_in_hard_interrupts", interrupts::hard),
    ("batches_with_interrupts_disabled", interrupts::disabled),
    ("mixed_operations", mixture::operations),
    ("last_object_with_its_owner", mixture::last),
    ("leaked_caches", leaks::all),
];
