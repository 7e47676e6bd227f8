// SPDX-License-Identifier: GPL-2.0

//! The text of `/proc/kallocinfo`: slabinfo 2.1, a row for each site.
//!
//! Programs that read `/proc/slabinfo` read this as well, so that the format is theirs to the
//! letter: two header lines, then rows of sixteen fields.
//!
//! Reference: `slabinfo(5)`

use crate::{
    procfs::Records,
    registry::{
        self,
        Record, //
    }, //
};
use kernel::{
    fmt,
    seq_file::SeqFile,
    seq_print, //
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

    fn show(&self, pos: u64, out: &SeqFile) {
        if pos == HEADER {
            seq_print!(out, "{}", Header);
        } else {
            registry::with(pos, |record| seq_print!(out, "{}", Row(record)));
        }
    }
}

struct Header;

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "slabinfo - version: 2.1\n\
             # name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> \
             : tunables <limit> <batchcount> <sharedfactor> \
             : slabdata <active_slabs> <num_slabs> <sharedavail>\n",
        )
    }
}

struct Row<'a>(&'a Record<'a>);

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = self.0.totals;
        let shape = self.0.site.shape(&live);
        let capacity = shape
            .slabs
            .saturating_mul(u64::from(shape.objects_per_slab));
        writeln!(
            f,
            "{:<17} {:>6} {:>6} {:>6} {:>4} {:>4} : tunables {:>4} {:>4} {:>4} \
             : slabdata {:>6} {:>6} {:>6}",
            self.0.site.name(),
            live.live(),
            // Blocks of mixed sizes may be more than their mean suggests.
            capacity.max(live.live()),
            shape.object_size,
            shape.objects_per_slab,
            shape.pages_per_slab,
            0,
            0,
            0,
            shape.slabs,
            shape.slabs,
            0,
        )
    }
}
