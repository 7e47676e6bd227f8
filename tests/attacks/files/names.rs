// SPDX-License-Identifier: GPL-2.0-only

//! Names with a meaning for the VFS, names that are in use, and barely valid names.

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
use kernel::prelude::*;

/// An empty sequence of records.
struct Nothing;

impl SeqOps for Nothing {
    fn start(&self, _: u64) -> Option<u64> {
        None
    }

    fn show(&self, _: u64, _: &mut SeqFile) {}
}

/// Names that no directory accepts.
const IMPOSSIBLE: [&CStr; 6] = [c"", c".", c"..", c"a/b", c"/", c"12"];
/// Unusual but valid names.
const ODD: [&CStr; 5] = [c" ", c"%s%n", c"...", c"-1", c"1a"];
/// Names with control characters, which may be rejected.
const CONTROL: [&CStr; 3] = [c"a\nb", c"\x1b[2J", c"\xff"];

/// Creates files in `/proc`.
pub(super) fn proc(attacker: &Attacker) -> Result {
    let new = |name| {
        let file = ProcFile::new(attacker.module, name, Mode::AllRead, Nothing);
        KBox::pin_init(file, GFP_KERNEL)
    };
    for name in IMPOSSIBLE {
        holds!(new(name).err() == Some(EINVAL));
    }
    for name in CONTROL {
        holds!(new(name).err().is_none_or(|error| error == EINVAL));
    }
    for name in ODD {
        let file = new(name)?;
        holds!(new(name).err() == Some(EEXIST));
        drop(file);
        drop(new(name)?);
    }
    // Names of processes, links, directories and files of the kernel.
    for name in [
        c"self",
        c"thread-self",
        c"mounts",
        c"sys",
        c"version",
        c"modules",
        c"slabinfo",
        c"kallocinfo",
    ] {
        let refused = new(name).err();
        holds!(refused == Some(EEXIST) || refused == Some(EINVAL));
    }
    Ok(())
}

/// Creates files in debugfs.
pub(super) fn debugfs(attacker: &Attacker) -> Result {
    let new = |name| {
        let file = DebugfsFile::new(attacker.module, name, Nothing);
        KBox::pin_init(file, GFP_KERNEL)
    };
    for name in IMPOSSIBLE {
        holds!(new(name).err() == Some(EINVAL));
    }
    for name in CONTROL {
        holds!(new(name).err().is_none_or(|error| error == EINVAL));
    }
    for name in ODD {
        let file = new(name)?;
        holds!(new(name).err() == Some(EEXIST));
        drop(file);
        drop(new(name)?);
    }
    for name in [c"sites", c"sites.json", c"attacks"] {
        holds!(new(name).err() == Some(EEXIST));
    }
    Ok(())
}
