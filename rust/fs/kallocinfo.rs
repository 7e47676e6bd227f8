// SPDX-License-Identifier: GPL-2.0-only

//! The text of `/proc/kallocinfo`: [slabinfo](crate::fs::slabinfo), one row per site.

use crate::{
    accounting::registry::{
        self,
        Record, //
        HEADER,
    },
    fs::{
        seq_file::{
            SeqFile,
            SeqOps, //
        },
        slabinfo::{
            self,
            Row, //
        }, //
    }, //
};

/// The registered sites as rows of slabinfo.
pub(crate) struct SlabInfo;

impl SeqOps for SlabInfo {
    fn start(&self, pos: u64) -> Option<u64> {
        registry::seek_row(pos)
    }

    fn show(&self, pos: u64, out: &mut SeqFile) {
        if pos == HEADER {
            slabinfo::header(out);
        } else {
            registry::with(pos, |record| row(record).show(record.site.name(), out));
        }
    }
}

fn row(record: &Record<'_>) -> Row {
    let live = record.totals;
    let shape = record.site.shape(&live);
    let capacity = shape
        .slabs
        .saturating_mul(u64::from(shape.objects_per_slab));
    Row {
        objects: live.live(),
        // While blocks are allocated and freed, their number and their bytes are read at two
        // moments.
        capacity: capacity.max(live.live()),
        object_size: u64::from(shape.object_size),
        objects_per_slab: u64::from(shape.objects_per_slab),
        pages_per_slab: u64::from(shape.pages_per_slab),
        slabs: shape.slabs,
    }
}
