// SPDX-License-Identifier: GPL-2.0

//! The text of `/proc/kallocinfo`: slabinfo 2.1, a row for each site.
//!
//! Programs that read `/proc/slabinfo` read this as well, so that the format is theirs to the
//! letter: two header lines, then rows of sixteen fields.
//!
//! Reference: `slabinfo(5)`

use crate::{
    registry::{
        self,
        Record, //
    },
    seq::{
        Output,
        Records, //
    },
    text::Line, //
};

/// The registered sites as rows of slabinfo.
pub(crate) struct SlabInfo;

/// Where the header is; sites have positions above it.
const HEADER: u64 = 0;

impl Records for SlabInfo {
    fn seek(&self, pos: u64) -> Option<u64> {
        if pos == HEADER {
            Some(HEADER)
        } else {
            registry::seek(pos)
        }
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
            registry::with(pos, |record| out.write(row(record).get()));
        }
    }
}

/// The width of a name's column.
const NAME: usize = 17;

/// The longest name, the three words, and eleven numbers with a blank each.
type Row = Line<{ 64 + 32 + 11 * 21 }>;

fn row(record: &Record<'_>) -> Row {
    let live = record.totals;
    let shape = record.site.shape(&live);
    let capacity = shape
        .slabs
        .saturating_mul(u64::from(shape.objects_per_slab));
    // Blocks of mixed sizes may be more than their mean suggests.
    let capacity = capacity.max(live.live());
    let name = record.site.name();

    let mut row = Row::new();
    row.text(name.as_bytes())
        .blanks(NAME.saturating_sub(name.len()))
        .blanks(1)
        .number(6, live.live())
        .blanks(1)
        .number(6, capacity)
        .blanks(1)
        .number(6, u64::from(shape.object_size))
        .blanks(1)
        .number(4, u64::from(shape.objects_per_slab))
        .blanks(1)
        .number(4, u64::from(shape.pages_per_slab))
        .text(b" : tunables    0    0    0 : slabdata ")
        .number(6, shape.slabs)
        .blanks(1)
        .number(6, shape.slabs)
        .text(b"      0\n");
    row
}
