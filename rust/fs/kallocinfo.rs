// SPDX-License-Identifier: GPL-2.0-only

//! The text of `/proc/kallocinfo`: slabinfo 2.1, one row per site.
//!
//! Programs that parse `/proc/slabinfo` can parse this file as well. It therefore has exactly that
//! format: two header lines, then rows of sixteen fields.
//!
//! Reference: `slabinfo(5)`

use crate::{
    accounting::registry::{
        self,
        Record, //
        HEADER,
    },
    fs::seq_file::{
        Output,
        Records, //
    }, //
};

/// The registered sites as rows of slabinfo.
pub(crate) struct SlabInfo;

impl Records for SlabInfo {
    fn seek(&self, pos: u64) -> Option<u64> {
        registry::seek_row(pos)
    }

    fn show(&self, pos: u64, out: &mut Output) {
        if pos == HEADER {
            out.write(
                b"slabinfo - version: 2.1\n\
                  # name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> \
                  : tunables <limit> <batchcount> <sharedfactor> \
                  : slabdata <active_slabs> <num_slabs> <sharedavail>\n",
            );
        } else {
            registry::with(pos, |record| row(record, out));
        }
    }
}

fn row(record: &Record<'_>, out: &mut Output) {
    let live = record.totals;
    let shape = record.site.shape(&live);
    let capacity = shape
        .slabs
        .saturating_mul(u64::from(shape.objects_per_slab));

    out.left(17, record.site.name());
    out.column(6, live.live());
    // While blocks are allocated and freed, their number and their bytes are read at two moments.
    out.column(6, capacity.max(live.live()));
    out.column(6, u64::from(shape.object_size));
    out.column(4, u64::from(shape.objects_per_slab));
    out.column(4, u64::from(shape.pages_per_slab));
    out.write(b" : tunables    0    0    0 : slabdata");
    out.column(6, shape.slabs);
    out.column(6, shape.slabs);
    out.write(b"      0\n");
}
