// SPDX-License-Identifier: GPL-2.0-only

//! Files whose owners are forgotten or freed without a drop, and files that are created in atomic
//! context.

use super::Boxes;
use crate::attack::Attacker;
use core::mem::{
    forget,
    MaybeUninit, //
};
use kalloc::{
    fs::{
        debugfs::{
            self,
            DebugfsFile, //
        },
        procfs::{
            Mode, //
            ProcFile,
        },
        seq_file::{
            SeqFile,
            SeqOps, //
        }, //
    }, //
    Tag,
};
use kernel::{
    prelude::*,
    sync::rcu, //
};
use pin_init::Wrapper;

/// Records that begin with a pattern, which freed memory does not contain.
struct Words([u64; 32]);

impl Words {
    const WORD: u64 = 0x0123_4567_89ab_cdef;

    fn new() -> Self {
        Words([Self::WORD; 32])
    }
}

impl SeqOps for Words {
    fn start(&self, pos: u64) -> Option<u64> {
        (pos < 3).then_some(pos)
    }

    fn show(&self, _: u64, out: &mut SeqFile) {
        holds!(self.0.iter().all(|&word| word == Self::WORD));
        out.write(b"a record\n");
    }
}

/// Creates files, and registers sites, under the RCU read lock.
pub(super) fn atomic(attacker: &Attacker) -> Result {
    let module = attacker.module;
    let proc = KBox::<ProcFile<Words>>::new_uninit(GFP_KERNEL)?;
    let debug = KBox::<DebugfsFile<Words>>::new_uninit(GFP_KERNEL)?;
    let guard = rcu::read_lock();
    let registered = kalloc::register(module, &[Boxes::site]);
    let file = ProcFile::new(module, c"attack_atomic", Mode::AllRead, Words::new());
    let proc = proc.write_pin_init(file).err();
    let debug = debug
        .write_pin_init(DebugfsFile::new(module, c"attack_atomic", Words::new()))
        .err();
    drop(guard);
    holds!(registered == Err(EAGAIN));
    holds!(proc == Some(EAGAIN));
    holds!(debug == Some(EAGAIN));
    Ok(())
}

/// Forgets the owners of files, which must be removed on module unload.
pub(crate) fn forgotten(module: &'static ThisModule) -> Result {
    let file = ProcFile::new(module, c"attack_forgotten", Mode::AllRead, Words::new());
    forget(KBox::pin_init(file, GFP_KERNEL)?);
    let file = DebugfsFile::new(module, c"attack_forgotten", Words::new());
    forget(KBox::pin_init(file, GFP_KERNEL)?);
    Ok(())
}

/// Forgets the directory, and a subdirectory of it.
pub(super) fn directory(_: &Attacker) -> Result {
    forget(debugfs::dir());
    forget(debugfs::dir().map(|dir| dir.subdir(c"attack_forgotten")));
    Ok(())
}

/// Frees the memory of a file without dropping the file.
pub(super) fn never_dropped(attacker: &Attacker) -> Result {
    let file = ProcFile::new(
        attacker.module,
        c"attack_never_dropped",
        Mode::AllRead,
        Words::new(),
    );
    let file = KBox::pin_init(<MaybeUninit<_> as Wrapper<_>>::pin_init(file), GFP_KERNEL)?;
    drop(file);
    let file = DebugfsFile::new(attacker.module, c"attack_never_dropped", Words::new());
    let file = KBox::pin_init(<MaybeUninit<_> as Wrapper<_>>::pin_init(file), GFP_KERNEL)?;
    drop(file);
    // Other blocks take its place.
    for _ in 0..64 {
        attacker.keep([0x5555_5555_5555_5555u64; 36])?;
    }
    Ok(())
}
