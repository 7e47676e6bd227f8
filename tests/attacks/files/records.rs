// SPDX-License-Identifier: GPL-2.0-only

//! Records that never end, are too large, or are not text.

use crate::attack::Attacker;
use kalloc::fs::{
    debugfs::DebugfsFile,
    procfs::{
        Mode, //
        ProcFile,
    },
    seq_file::{
        SeqFile,
        SeqOps, //
    }, //
};
use kernel::{
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// Creates a file in `/proc` with mode 0444, and keeps it.
fn proc<R: SeqOps + 'static>(attacker: &Attacker, name: &'static CStr, records: R) -> Result {
    let file = ProcFile::new(attacker.module, name, Mode::AllRead, records);
    attacker.keep(KBox::pin_init(file, GFP_KERNEL)?)
}

/// Creates a file in debugfs, and keeps it.
fn debug<R: SeqOps + 'static>(attacker: &Attacker, name: &'static CStr, records: R) -> Result {
    let file = DebugfsFile::new(attacker.module, name, records);
    attacker.keep(KBox::pin_init(file, GFP_KERNEL)?)
}

/// One record for every position, each with a given number of bytes.
struct Endless(usize);

impl SeqOps for Endless {
    fn start(&self, pos: u64) -> Option<u64> {
        Some(pos)
    }

    fn show(&self, _: u64, out: &mut SeqFile) {
        out.left(self.0, "");
    }
}

/// Positions that go back: the last record is followed by the first, forever.
struct Backwards;

impl SeqOps for Backwards {
    fn start(&self, pos: u64) -> Option<u64> {
        Some(u64::MAX - pos)
    }

    fn show(&self, pos: u64, out: &mut SeqFile) {
        out.column(20, pos);
    }
}

/// Creates the files.
pub(super) fn endless(attacker: &Attacker) -> Result {
    proc(attacker, c"attack_empty", Endless(0))?;
    proc(attacker, c"attack_endless", Endless(100))?;
    proc(attacker, c"attack_backwards", Backwards)?;
    debug(attacker, c"attack_empty", Endless(0))?;
    debug(attacker, c"attack_endless", Endless(100))
}

/// Two records with a given number of bytes.
struct Huge(usize);

impl SeqOps for Huge {
    fn start(&self, pos: u64) -> Option<u64> {
        (pos < 2).then_some(pos)
    }

    fn show(&self, _: u64, out: &mut SeqFile) {
        out.left(self.0, "x");
        out.write(b"\n");
    }
}

/// Creates the files.
pub(super) fn huge(attacker: &Attacker) -> Result {
    proc(attacker, c"attack_large", Huge(300 << 10))?;
    proc(attacker, c"attack_huge", Huge(1 << 30))?;
    proc(attacker, c"attack_hugest", Huge(usize::MAX))
}

/// Bytes that are not text, and a column of the largest possible width.
struct Odd {
    width: usize,
}

impl SeqOps for Odd {
    fn start(&self, pos: u64) -> Option<u64> {
        (pos == 0).then_some(0)
    }

    fn show(&self, _: u64, out: &mut SeqFile) {
        out.write(b"\xff\xfe\0\x1b[2J");
        out.word(b"\xff\xfe\0\x1b[2J \\");
        out.write(b"\n");
        out.column(self.width, u64::MAX);
    }
}

/// Creates the files.
pub(super) fn odd(attacker: &Attacker) -> Result {
    proc(attacker, c"attack_odd", Odd { width: 20 })?;
    proc(attacker, c"attack_wide", Odd { width: usize::MAX })
}

/// A record for every tenth position; some are slow, and one is much larger than the others.
struct Slow;

impl SeqOps for Slow {
    fn start(&self, pos: u64) -> Option<u64> {
        Some(pos.next_multiple_of(10)).filter(|&pos| pos < 2000)
    }

    fn show(&self, pos: u64, out: &mut SeqFile) {
        if pos == 990 {
            out.left(70_000, "x");
        }
        if pos % 500 == 0 {
            fsleep(Delta::from_micros(200));
        }
        out.column(60, pos);
        out.write(b"\n");
    }
}

/// Creates the files.
pub(super) fn slow(attacker: &Attacker) -> Result {
    proc(attacker, c"attack_slow", Slow)?;
    debug(attacker, c"attack_slow", Slow)
}
