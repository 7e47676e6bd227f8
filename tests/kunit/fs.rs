// SPDX-License-Identifier: GPL-2.0-only

use kalloc::fs::{
    debugfs::DebugfsFile,
    procfs::{
        Mode, //
        ProcFile,
    },
    seq_file::{
        SeqFile,
        SeqOps, //
        MAX_RECORD,
    }, //
};
use kernel::{
    error::code::EIOCBQUEUED,
    fmt::Write,
    page::PAGE_SIZE,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Records at 0, 10, … 90, one of them longer than a page.
pub(crate) struct Tens;

impl SeqOps for Tens {
    fn start(&self, pos: u64) -> Option<u64> {
        Some(pos.next_multiple_of(10)).filter(|&pos| pos < 100)
    }

    fn show(&self, pos: u64, out: &mut SeqFile) {
        out.print(fmt!("{pos}"));
        for _ in 0..if pos == 50 { 5 * PAGE_SIZE / 2 } else { 0 } {
            out.write(b"x");
        }
        out.column(4, pos);
        out.left(40, "l");
        out.column(30, pos);
        out.write(b" ");
        out.word(b"a b\\\n");
        out.write(b"\n");
    }
}

/// Records that return impossible positions.
pub(crate) struct Wild;

impl SeqOps for Wild {
    fn start(&self, pos: u64) -> Option<u64> {
        match pos {
            0 | 1 => Some(pos),
            2 => Some(i64::MAX as u64 - 1),
            // Backwards, forever.
            _ => Some(0),
        }
    }

    fn show(&self, pos: u64, out: &mut SeqFile) {
        out.print(fmt!("{pos}\n"));
    }
}

/// A record that fails with an error.
pub(crate) struct Fails(Error);

impl SeqOps for Fails {
    fn start(&self, pos: u64) -> Option<u64> {
        (pos == 0).then_some(0)
    }

    fn show(&self, _: u64, out: &mut SeqFile) {
        out.fail(self.0);
    }
}

/// An endless sequence of records, each with a given number of bytes.
pub(crate) struct Endless(usize);

impl SeqOps for Endless {
    fn start(&self, pos: u64) -> Option<u64> {
        Some(pos)
    }

    fn show(&self, _: u64, out: &mut SeqFile) {
        out.left(self.0, "");
    }
}

/// One record with a given number of bytes.
pub(crate) struct Wide(usize);

impl SeqOps for Wide {
    fn start(&self, pos: u64) -> Option<u64> {
        (pos == 0).then_some(0)
    }

    fn show(&self, _: u64, out: &mut SeqFile) {
        out.left(self.0, "x");
    }
}

/// A record with each kind of padding at the largest width.
pub(crate) struct Padded;

impl SeqOps for Padded {
    fn start(&self, pos: u64) -> Option<u64> {
        (pos == 0).then_some(0)
    }

    fn show(&self, _: u64, out: &mut SeqFile) {
        out.column(usize::MAX, 1);
        out.left(usize::MAX, "x");
        // There is no room for the first blank.
        let _ = write!(out, "{:>1$}", "x", usize::MAX);
    }
}

/// An empty sequence of records.
struct Never;

static DROPPED: Atomic<u32> = Atomic::new(0);

impl Drop for Never {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Relaxed);
    }
}

impl SeqOps for Never {
    fn start(&self, _: u64) -> Option<u64> {
        None
    }

    fn show(&self, _: u64, _: &mut SeqFile) {}
}

/// The files that a script in the guest reads.
#[pin_data]
pub(crate) struct Files {
    #[pin]
    tens: ProcFile<Tens>,
    #[pin]
    debug: DebugfsFile<Tens>,
    #[pin]
    wild: ProcFile<Wild>,
    #[pin]
    again: ProcFile<Fails>,
    #[pin]
    queued: ProcFile<Fails>,
    #[pin]
    empty: ProcFile<Endless>,
    #[pin]
    endless: ProcFile<Endless>,
    #[pin]
    largest: ProcFile<Wide>,
    #[pin]
    larger: ProcFile<Wide>,
    #[pin]
    padded: ProcFile<Padded>,
}

impl Files {
    pub(crate) fn new(module: &'static ThisModule) -> Result<Pin<KBox<Self>>> {
        let root = Mode::OwnerRead;
        let files = try_pin_init!(Files {
            tens <- ProcFile::new(module, c"kalloc_kunit", Mode::AllRead, Tens),
            debug <- DebugfsFile::new(module, c"kunit", Tens),
            wild <- ProcFile::new(module, c"kalloc_kunit_wild", root, Wild),
            again <- ProcFile::new(module, c"kalloc_kunit_again", root, Fails(EAGAIN)),
            queued <- ProcFile::new(module, c"kalloc_kunit_queued", root, Fails(EIOCBQUEUED)),
            empty <- ProcFile::new(module, c"kalloc_kunit_empty", root, Endless(0)),
            endless <- ProcFile::new(module, c"kalloc_kunit_endless", root, Endless(100)),
            largest <- ProcFile::new(module, c"kalloc_kunit_largest", root, Wide(MAX_RECORD)),
            larger <- ProcFile::new(module, c"kalloc_kunit_larger", root, Wide(MAX_RECORD + 1)),
            padded <- ProcFile::new(module, c"kalloc_kunit_padded", root, Padded),
        });
        KBox::pin_init(files, GFP_KERNEL)
    }
}

#[kunit_tests(kalloc_fs)]
mod tests {
    use super::*;
    use crate::site::MODULE;
    use kalloc::sys::failure::Failure;
    use kernel::{
        error::code::{
            ENOIOCTLCMD,
            ERESTARTNOHAND,
            ERESTARTNOINTR,
            ERESTARTSYS,
            ERESTART_RESTARTBLOCK, //
        },
        sync::rcu, //
    };

    fn create(name: &'static CStr) -> Result<Pin<KBox<ProcFile<Never>>>> {
        let module = *MODULE.as_ref().ok_or(ENODEV)?;
        let file = ProcFile::new(module, name, Mode::OwnerRead, Never);
        KBox::pin_init(file, GFP_KERNEL)
    }

    #[test]
    fn proc_create_invalid_name() {
        let before = DROPPED.load(Relaxed);
        let bad = [
            c"", c".", c"..", c"1", c"007", c"a/b", c"/", c"/a", c"sys/", c"x/../y", c"a\nb",
            c"\x1b[2J", c"a\x7f", c"\u{85}", c"\xff",
        ];
        for name in bad {
            assert!(create(name).err() == Some(EINVAL));
        }
        // Each failed call dropped its records.
        assert!(DROPPED.load(Relaxed) == before + bad.len() as u32);
    }

    #[test]
    fn proc_create_name_in_use() -> Result {
        let before = DROPPED.load(Relaxed);
        for _ in 0..3 {
            let file = create(c"kalloc_kunit_never")?;
            assert!(create(c"kalloc_kunit_never").err() == Some(EEXIST));
            assert!(create(c"kallocinfo").err() == Some(EEXIST));
            drop(file);
        }
        assert!(DROPPED.load(Relaxed) == before + 9);
        Ok(())
    }

    #[test]
    fn proc_create_kernel_name() {
        let taken = [
            c"self",
            c"thread-self",
            c"mounts",
            c"sys",
            c"fs",
            c"cmdline",
            c"meminfo",
            c"slabinfo",
        ];
        for name in taken {
            assert!(create(name).err() == Some(EEXIST));
        }
    }

    #[test]
    fn debugfs_create_name_in_use() -> Result {
        let module = *MODULE.as_ref().ok_or(ENODEV)?;
        if !cfg!(CONFIG_DEBUG_FS) {
            crate::case::skip!(c"no debugfs");
        }
        let _taken = kalloc::fs::debugfs::dir().map(|dir| dir.subdir(c"kunit_taken"));
        let file = DebugfsFile::new(module, c"kunit_taken", Never);
        assert!(KBox::pin_init(file, GFP_KERNEL).err() == Some(EEXIST));
        Ok(())
    }

    #[test]
    fn proc_create_in_atomic_context() -> Result {
        let module = *MODULE.as_ref().ok_or(ENODEV)?;
        let slot = KBox::<ProcFile<Never>>::new_uninit(GFP_KERNEL)?;
        let file = ProcFile::new(module, c"kalloc_kunit_never", Mode::OwnerRead, Never);
        let guard = rcu::read_lock();
        let file = slot.write_pin_init(file);
        drop(guard);
        assert!(file.err() == Some(EAGAIN));
        Ok(())
    }

    #[test]
    fn failure_from_kernel_only_errno() {
        let passed = |error| Error::from(Failure::from(error));
        for error in [EPERM, EIO, ENOMEM, EFAULT, EBUSY, EINTR, EINVAL, EFBIG] {
            assert!(passed(error) == error);
        }
        assert!(passed(EAGAIN) == EBUSY);
        // No signal is pending.
        let restarts = [
            ERESTARTSYS,
            ERESTARTNOINTR,
            ERESTARTNOHAND,
            ERESTART_RESTARTBLOCK,
        ];
        for error in restarts {
            assert!(passed(error) == EINTR);
        }
        for error in [EIOCBQUEUED, ENOIOCTLCMD] {
            assert!(passed(error) == EIO);
        }
        for number in 1..4096 {
            let got = passed(Error::from_errno(-number)).to_errno();
            // User space has names for these errors.
            assert!((-133..0).contains(&got) && got != EAGAIN.to_errno());
        }
    }

    #[test]
    fn proc_and_debugfs_same_name() -> Result {
        if !cfg!(CONFIG_DEBUG_FS) {
            crate::case::skip!(c"no debugfs");
        }
        let module = *MODULE.as_ref().ok_or(ENODEV)?;
        let first = create(c"kalloc_kunit_twin")?;
        let second = DebugfsFile::new(module, c"kalloc_kunit_twin", Never);
        let second = KBox::pin_init(second, GFP_KERNEL)?;
        let bad = KBox::pin_init(DebugfsFile::new(module, c"a/b", Never), GFP_KERNEL);
        assert!(bad.err() == Some(EINVAL));
        let again = DebugfsFile::new(module, c"kalloc_kunit_twin", Never);
        assert!(KBox::pin_init(again, GFP_KERNEL).err() == Some(EEXIST));
        drop((first, second));
        Ok(())
    }
}
