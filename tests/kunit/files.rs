// SPDX-License-Identifier: GPL-2.0

use kalloc::{
    debugfs::SeqFile,
    procfs::{
        ProcFile,
        Readers, //
    },
    seq::{
        Output,
        Records, //
    }, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Records at 0, 10, … 90, one of which is longer than a page.
pub(crate) struct Tens;

impl Records for Tens {
    fn seek(&self, pos: u64) -> Option<u64> {
        Some(pos.next_multiple_of(10)).filter(|&pos| pos < 100)
    }

    fn show(&self, pos: u64, out: &mut Output) {
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

/// Records that claim to be where they cannot be.
pub(crate) struct Wild;

impl Records for Wild {
    fn seek(&self, pos: u64) -> Option<u64> {
        match pos {
            0 | 1 => Some(pos),
            2 => Some(i64::MAX as u64 - 1),
            // Backwards, for ever.
            _ => Some(0),
        }
    }

    fn show(&self, pos: u64, out: &mut Output) {
        out.print(fmt!("{pos}\n"));
    }
}

/// Records that there never are any of.
struct Never;

static DROPPED: Atomic<u32> = Atomic::new(0);

impl Drop for Never {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Relaxed);
    }
}

impl Records for Never {
    fn seek(&self, _: u64) -> Option<u64> {
        None
    }

    fn show(&self, _: u64, _: &mut Output) {}
}

/// The files that a scenario reads.
#[pin_data]
pub(crate) struct Files {
    #[pin]
    tens: ProcFile<Tens>,
    #[pin]
    debug: SeqFile<Tens>,
    #[pin]
    wild: ProcFile<Wild>,
}

impl Files {
    pub(crate) fn new(module: &'static ThisModule) -> Result<Pin<KBox<Self>>> {
        let files = try_pin_init!(Files {
            tens <- ProcFile::new(module, c"kalloc_kunit", Readers::Everyone, Tens),
            debug <- SeqFile::new(module, c"kunit", Tens),
            wild <- ProcFile::new(module, c"kalloc_kunit_wild", Readers::Root, Wild),
        });
        KBox::pin_init(files, GFP_KERNEL)
    }
}

#[kunit_tests(kalloc_files)]
mod tests {
    use super::*;
    use crate::site::MODULE;

    fn create(name: &'static CStr) -> Result<Pin<KBox<ProcFile<Never>>>> {
        let module = *MODULE.as_ref().ok_or(ENODEV)?;
        let file = ProcFile::new(module, name, Readers::Root, Never);
        KBox::pin_init(file, GFP_KERNEL)
    }

    #[test]
    fn names_are_checked() {
        let before = DROPPED.load(Relaxed);
        let bad = [
            c"", c".", c"..", c"1", c"007", c"a/b", c"/", c"/a", c"sys/", c"x/../y",
        ];
        for name in bad {
            assert!(create(name).err() == Some(EINVAL));
        }
        // The records were given up each time.
        assert!(DROPPED.load(Relaxed) == before + bad.len() as u32);
    }

    #[test]
    fn a_name_is_given_once_at_a_time() -> Result {
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
    fn files_of_two_kinds_may_share_a_name() -> Result {
        if !cfg!(CONFIG_DEBUG_FS) {
            crate::case::skip!(c"the kernel has files of one kind only: no debugfs");
        }
        let module = *MODULE.as_ref().ok_or(ENODEV)?;
        let first = create(c"kalloc_kunit_twin")?;
        let second = SeqFile::new(module, c"kalloc_kunit_twin", Never);
        let second = KBox::pin_init(second, GFP_KERNEL)?;
        let bad = KBox::pin_init(SeqFile::new(module, c"a/b", Never), GFP_KERNEL);
        assert!(bad.err() == Some(EINVAL));
        let again = SeqFile::new(module, c"kalloc_kunit_twin", Never);
        assert!(KBox::pin_init(again, GFP_KERNEL).err() == Some(EEXIST));
        drop((first, second));
        Ok(())
    }
}
