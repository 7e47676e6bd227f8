// SPDX-License-Identifier: GPL-2.0-only

//! Files of real kernels, and a reproducible pseudo-random number generator.

#![allow(dead_code, missing_docs, unreachable_pub)]

pub const HEADER: &str = "slabinfo - version: 2.1\n\
    # name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> \
    <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n";

/// Four rows of a kernel of 2026. One name contains a blank and a colon, like former names of dm
/// and 9p.
pub const ROWS: &str = "\
dentry            736053 766563    192   21    1 : tunables    0    0    0 : slabdata  36503  36503      0
:A-0000192        1  2    192   21    1 : tunables    0    0    0 : slabdata  1  1      0
9p fcall: cache       3      4   8192    4    8 : tunables    0    0    0 : slabdata      1      1      0
dma-kmalloc-8k         0      0   8192    4    8 : tunables    0    0    0 : slabdata      0      0      0
";

/// Two sites: the objects of one have a fixed size, those of the other do not.
pub const SITES: &str = r#"{"name":"exercise_cache","family":"cache","type":"exercise::Object","module":"kalloc_exercise","file":"samples/exercise/state.rs","line":24,"unit":64,"live":4,"allocs":100,"frees":96,"failures":{"no_memory":1,"no_wait":2,"invalid":3},"live_bytes":256,"live_allocated":256,"peak":5,"peak_bytes":320,"peak_allocated":320,"sizes":[],"cpus":[{"cpu":1,"allocs":100,"frees":96}]}
{"name":"exercise_kvec","family":"kmalloc","type":"[u8]","module":"kalloc_exercise","file":"samples/exercise/state.rs","line":30,"unit":0,"live":3,"allocs":9,"frees":6,"failures":{"no_memory":0,"no_wait":0,"invalid":0},"live_bytes":600,"live_allocated":768,"peak":4,"peak_bytes":800,"peak_allocated":1024,"sizes":[{"up_to":8,"allocs":1,"frees":1},{"up_to":256,"allocs":8,"frees":5}],"cpus":[]}
"#;

/// Four watched calls, two of them in one function.
pub const WATCHED: &str = r#"{"name":"xfs/xlog_cil_push_work+0x8c","family":"kmalloc","type":"","module":"xfs","file":"","line":0,"unit":0,"live":5,"allocs":20,"frees":12,"failures":{"no_memory":0,"no_wait":0,"invalid":0},"live_bytes":480,"live_allocated":480,"peak":9,"peak_bytes":864,"peak_allocated":864,"frees_elsewhere":2,"lost":3,"first_use_ms_ago":812,"last_use_ms_ago":4,"function":"xlog_cil_push_work","offset":140,"section":"text","at":512140,"loaded":true,"sizes":[{"up_to":128,"allocs":20,"frees":12}]}
{"name":"xfs/xlog_cil_push_work+0x1f0","family":"vmalloc","type":"","module":"xfs","file":"","line":0,"unit":0,"live":1,"allocs":2,"frees":1,"failures":{"no_memory":0,"no_wait":0,"invalid":0},"live_bytes":4096,"live_allocated":4096,"peak":1,"peak_bytes":4096,"peak_allocated":4096,"frees_elsewhere":0,"lost":0,"first_use_ms_ago":812,"last_use_ms_ago":4,"function":"xlog_cil_push_work","offset":496,"section":"text","at":512496,"loaded":true,"sizes":[{"up_to":128,"allocs":1,"frees":1},{"up_to":4096,"allocs":1,"frees":0}]}
{"name":"xfs/xfs_buf_alloc+0x2a","family":"cache","type":"","module":"xfs","file":"","line":0,"unit":0,"live":7,"allocs":7,"frees":0,"failures":{"no_memory":0,"no_wait":0,"invalid":0},"live_bytes":2688,"live_allocated":2688,"peak":7,"peak_bytes":2688,"peak_allocated":2688,"frees_elsewhere":0,"lost":0,"first_use_ms_ago":700,"last_use_ms_ago":4,"function":"xfs_buf_alloc","offset":42,"section":"text","at":99042,"loaded":true,"sizes":[{"up_to":512,"allocs":7,"frees":0}]}
{"name":"kalloc_exercise/workload.kvec#77aa+0x31","family":"kmalloc","type":"","module":"kalloc_exercise","file":"","line":0,"unit":0,"live":3,"allocs":9,"frees":6,"failures":{"no_memory":0,"no_wait":0,"invalid":0},"live_bytes":600,"live_allocated":600,"peak":3,"peak_bytes":600,"peak_allocated":600,"frees_elsewhere":0,"lost":0,"first_use_ms_ago":700,"last_use_ms_ago":4,"function":"_RNvNtC15kalloc_exercise8workload4kvec","offset":49,"section":"text","at":1049,"loaded":true,"sizes":[{"up_to":256,"allocs":9,"frees":6}]}
"#;

pub fn slabinfo() -> String {
    format!("{HEADER}{ROWS}")
}

/// Returns a row of slabinfo.
pub fn row(name: &str, live: u64, slabs: u64) -> String {
    format!("{name} {live} {live} 64 64 1 : tunables 0 0 0 : slabdata {slabs} {slabs} 0\n")
}

/// A pseudo-random number generator (xorshift).
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// Returns a slabinfo file of at most `most` rows, among them rows of the same name.
    pub fn slabinfo(&mut self, most: u64) -> String {
        let count = self.below(most + 1);
        let rows = (0..count).map(|_| {
            let name = format!("cache_{}", self.below(most));
            row(&name, self.below(1 << 40), self.below(1 << 20))
        });
        HEADER.to_owned() + &rows.collect::<String>()
    }
}
