// SPDX-License-Identifier: GPL-2.0-only

//! A resizable hash table that readers search under RCU: an example of a type-safe cache.
//!
//! The table maps numbers to numbers. A file in debugfs shows and changes it:
//!
//! ```text
//! # cd /sys/kernel/debug/kalloc
//! # echo put 7 49 > hash
//! # echo resize 64 > hash
//! # cat hash
//! # entries 1 buckets 64
//! # write: put NUMBER VALUE, find NUMBER, remove NUMBER, or: resize BUCKETS
//! 45 7=49
//! ```
//!
//! Each line shows a bucket and its chain. `find` and `remove` fail with `ENOENT` if the table does
//! not have the number.

use kalloc::fs::{
    debugfs::{
        DebugfsFile,
        WriteOps, //
    },
    seq_file::{
        SeqFile,
        SeqOps, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use table::Table;

#[path = "hash/table.rs"]
mod table;

/// The sites of the table.
mod hash {
    use super::table;
    use kalloc::slab::{
        RcuLink,
        TypesafeByRcu, //
    };

    kalloc::sites! {
        /// Entries. They have no key: readers need a reference to read any part of an entry.
        pub(crate) Entries: cache(TypesafeByRcu<(), table::Entry>), "hash_entry";
        /// Tables, of which a resize replaces the current one.
        pub(crate) Tables: cache(TypesafeByRcu<(), table::Chains>), "hash_table";
        /// The heads of the chains.
        pub(crate) Heads: kvmalloc([RcuLink<Entries>]), "hash_heads";
    }
}

module! {
    type: Hash,
    name: "kalloc_hash",
    authors: ["The kalloc authors"],
    description: "A resizable hash table on a type-safe cache of kalloc",
    license: "GPL",
}

/// The module with its file in debugfs.
#[pin_data]
struct Hash {
    #[pin]
    _file: DebugfsFile<File>,
}

impl kernel::InPlaceModule for Hash {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            kalloc::register(module, hash::SITES)?;
            let table = Arc::pin_init(Table::new(), GFP_KERNEL)?;
            Ok(try_pin_init!(Self {
                _file <- DebugfsFile::with_write(module, c"hash", File(table)),
            }? Error))
        })
    }
}

/// The file. Its first record is a header; the other records are buckets, counted from 1.
struct File(Arc<Table>);

impl SeqOps for File {
    fn start(&self, pos: u64) -> Option<u64> {
        let (_, buckets) = self.0.size();
        (pos <= buckets as u64).then_some(pos)
    }

    fn show(&self, pos: u64, out: &mut SeqFile) {
        let Some(bucket) = pos.checked_sub(1) else {
            let (entries, buckets) = self.0.size();
            out.print(fmt!("# entries {entries} buckets {buckets}\n"));
            out.write(
                b"# write: put NUMBER VALUE, find NUMBER, remove NUMBER, or: resize BUCKETS\n",
            );
            return;
        };
        let mut empty = true;
        self.0.each(bucket as usize, |number, value| {
            if core::mem::take(&mut empty) {
                out.print(fmt!("{bucket}"));
            }
            out.print(fmt!(" {number}={value}"));
        });
        if !empty {
            out.write(b"\n");
        }
    }
}

impl WriteOps for File {
    fn write(&self, text: &[u8]) -> Result {
        let line = core::str::from_utf8(text).map_err(|_| EINVAL)?;

        let number = |word: &str| word.parse::<u64>().map_err(|_| EINVAL);
        let mut words = line.split_ascii_whitespace();
        match [(); 4].map(|()| words.next()) {
            [Some("put"), Some(key), Some(value), None] => self.0.put(number(key)?, number(value)?),
            [Some("find"), Some(key), None, None] => {
                self.0.get(number(key)?).map(drop).ok_or(ENOENT)
            }
            [Some("remove"), Some(key), None, None] => self.0.remove(number(key)?).map(drop),
            [Some("resize"), Some(buckets), None, None] => {
                self.0.resize(number(buckets)?.try_into()?)
            }
            _ => Err(EINVAL),
        }
    }
}
