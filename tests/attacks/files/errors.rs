// SPDX-License-Identifier: GPL-2.0-only

//! Errors with a special meaning for the calling C code: try again, wait, restart, or a bug.

use crate::attack::Attacker;
use kalloc::fs::{
    debugfs::{
        DebugfsFile,
        WriteOps, //
    },
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
    error::code::{
        EIOCBQUEUED,
        ENOPARAM,
        EPROBE_DEFER,
        ERESTARTNOINTR,
        ERESTARTSYS,
        ERESTART_RESTARTBLOCK, //
    },
    prelude::*, //
};

/// A record that fails.
struct Failing(Error);

impl SeqOps for Failing {
    fn start(&self, pos: u64) -> Option<u64> {
        (pos == 0).then_some(0)
    }

    fn show(&self, _pos: u64, out: &mut SeqFile) {
        out.write(b"some of it");
        out.fail(self.0);
    }
}

impl WriteOps for Failing {
    fn write(&self, _: &[u8]) -> Result {
        Err(self.0)
    }
}

/// Creates `/proc/attack_error_0` and so on: one file for each error.
pub(super) fn records(attacker: &Attacker) -> Result {
    for (name, error) in [
        (c"attack_error_0", EAGAIN),
        (c"attack_error_1", EIOCBQUEUED),
        (c"attack_error_2", ERESTARTSYS),
        (c"attack_error_3", ERESTARTNOINTR),
        (c"attack_error_4", ERESTART_RESTARTBLOCK),
        (c"attack_error_5", EPROBE_DEFER),
        (c"attack_error_6", ENOPARAM),
    ] {
        let file = ProcFile::new(attacker.module, name, Mode::AllRead, Failing(error));
        attacker.keep(KBox::pin_init(file, GFP_KERNEL)?)?;
    }
    Ok(())
}

/// Creates such files in debugfs, for commands.
pub(super) fn commands(attacker: &Attacker) -> Result {
    for (name, error) in [
        (c"attack_command_0", EIOCBQUEUED),
        (c"attack_command_1", ERESTARTSYS),
        (c"attack_command_2", ERESTARTNOINTR),
        (c"attack_command_3", EPROBE_DEFER),
    ] {
        let file = DebugfsFile::with_write(attacker.module, name, Failing(error));
        attacker.keep(KBox::pin_init(file, GFP_KERNEL)?)?;
    }
    Ok(())
}
