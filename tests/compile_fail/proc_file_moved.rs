// SPDX-License-Identifier: GPL-2.0-only
//! H80: the records of a file cannot be moved.
//! error: cannot be unpinned

use kalloc::fs::{
    procfs::ProcFile,
    seq_file::{
        SeqFile,
        SeqOps, //
    }, //
};
use kernel::prelude::*;

pub struct Nothing;

impl SeqOps for Nothing {
    fn start(&self, _: u64) -> Option<u64> {
        None
    }

    fn show(&self, _: u64, _: &mut SeqFile) {}
}

#[inline(never)]
pub fn case(file: Pin<KBox<ProcFile<Nothing>>>) -> KBox<ProcFile<Nothing>> {
    Pin::into_inner(file)
}
