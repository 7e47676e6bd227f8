// SPDX-License-Identifier: GPL-2.0-only
//! H80: the records of a file must live as long as the file.
//! error: borrowed data escapes outside of function

use kalloc::fs::{
    procfs::{
        Mode, //
        ProcFile,
    },
    seq_file::{
        SeqFile,
        SeqOps, //
    }, //
};
use kernel::prelude::*;

pub struct Word<'a>(&'a u64);

impl SeqOps for Word<'_> {
    fn start(&self, pos: u64) -> Option<u64> {
        (pos < *self.0).then_some(pos)
    }

    fn show(&self, _: u64, _: &mut SeqFile) {}
}

#[inline(never)]
pub fn case(module: &'static ThisModule, word: &u64) -> Result {
    let file = ProcFile::new(module, c"word", Mode::OwnerRead, Word(word));
    drop(KBox::pin_init(file, GFP_KERNEL)?);
    Ok(())
}
