// SPDX-License-Identifier: GPL-2.0-only

//! Uses of kalloc in initcalls that precede its own. They exist only in the kernel image: a module
//! is loaded after kalloc's.

use crate::{
    initcall::{
        is_percpu_template,
        notifier_is_early, //
    },
    observe::has_warned, //
};
use kalloc::{
    fs::{
        debugfs::{
            self,
            DebugfsFile, //
        },
        procfs::{
            Mode,
            ProcFile, //
        },
        seq_file::{
            SeqFile,
            SeqOps, //
        },
    },
    slab::Options,
    Array,
    KmemCache,
    Tag,
    Vmalloc, //
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        SetOnce,
        SpinLock, //
    }, //
};

kalloc::sites! {
    Locks: kmalloc(SpinLock<()>), "kunit_early_lock";
    Areas: vmalloc([u8]), "kunit_early_area";
    Objects: cache([u64; 5]), "kunit_early_object";
    Counted: kmalloc(u32), "kunit_early_counted", percpu;
}

/// The results of the initcalls.
static EARLY: SetOnce<Result> = SetOnce::new();
static FS: SetOnce<Result> = SetOnce::new();
/// True if debugfs existed at the early initcall.
static DEBUGFS: SetOnce<bool> = SetOnce::new();

struct Nothing;

impl SeqOps for Nothing {
    fn start(&self, _: u64) -> Option<u64> {
        None
    }

    fn show(&self, _: u64, _: &mut SeqFile) {}
}

fn module() -> &'static ThisModule {
    kernel::module::this_module::<crate::KallocKunit>()
}

/// Checks that sites are registered, and uses each part of kalloc that defers work.
pub(crate) fn at_early_initcall() {
    EARLY.populate(early());
    DEBUGFS.populate(debugfs::dir().is_some());
}

fn early() -> Result {
    if SITES.iter().any(|site| !site().is_registered()) {
        return Err(ENOENT);
    }
    kalloc::register(module(), SITES)?;
    let held = kalloc::KBox::<_, Locks>::pin_init(new_spinlock!(()), GFP_KERNEL)?;
    let area = Array::<u8, Vmalloc<Areas>>::zeroed(5000, GFP_KERNEL)?;
    let objects = KmemCache::<Objects>::new(Options::new())?;
    let guard = held.lock();
    // A worker completes the frees.
    drop(area);
    drop(objects);
    drop(guard);
    Ok(())
}

/// Creates files, which stay.
pub(crate) fn at_fs_initcall() {
    FS.populate(files());
}

fn files() -> Result {
    let seq = DebugfsFile::new(module(), c"kunit_early", Nothing);
    core::mem::forget(KBox::pin_init(seq, GFP_KERNEL)?);
    let proc = ProcFile::new(module(), c"kunit_early", Mode::OwnerRead, Nothing);
    core::mem::forget(KBox::pin_init(proc, GFP_KERNEL)?);
    Ok(())
}

#[kunit_tests(kalloc_early)]
mod tests {
    use super::*;

    #[test]
    fn calls_before_kalloc_initcall() {
        assert!(EARLY.as_ref() == Some(&Ok(())));
        let areas = Areas::site().totals();
        assert!((areas.allocs, areas.live()) == (1, 0));
        assert!(Areas::site().module() == "kalloc_kunit");
        assert!(!has_warned());
    }

    #[test]
    fn files_before_kalloc_initcall() -> Result {
        assert!(DEBUGFS.as_ref() == Some(&false));
        assert!(FS.as_ref() == Some(&Ok(())));
        // The names are in use.
        if cfg!(CONFIG_DEBUG_FS) {
            let seq = DebugfsFile::new(module(), c"kunit_early", Nothing);
            assert!(KBox::pin_init(seq, GFP_KERNEL).err() == Some(EEXIST));
        }
        if cfg!(CONFIG_PROC_FS) {
            let proc = ProcFile::new(module(), c"kunit_early", Mode::OwnerRead, Nothing);
            assert!(KBox::pin_init(proc, GFP_KERNEL).err() == Some(EEXIST));
        }
        Ok(())
    }

    /// The file of a watch that is built in exists.
    #[test]
    fn watch_built_in() {
        let file = ProcFile::new(module(), c"kallocwatch", Mode::OwnerRead, Nothing);
        let is_taken = KBox::pin_init(file, GFP_KERNEL).err() == Some(EEXIST);
        assert!(is_taken == cfg!(all(CONFIG_PROC_FS, CONFIG_KALLOC_WATCH = "y")));
    }

    #[test]
    fn notifier_before_modules() {
        assert!(notifier_is_early());
    }

    /// The template of per-CPU variables is freed after the boot. With a single CPU there are no
    /// copies of it.
    #[test]
    fn static_counters_stay() {
        let counters = Counted::static_counters();
        assert!(counters.is_some_and(|counters| cfg!(CONFIG_SMP) || !is_percpu_template(counters)));
    }
}
