// SPDX-License-Identifier: GPL-2.0-only

//! Files in `/proc` that show a sequence of records.
//!
//! A module stores a [`ProcFile`] in its module struct, before the state that the file shows:
//!
//! ```no_run
//! use kalloc::fs::{
//!     procfs::{Mode, ProcFile},
//!     seq_file::{SeqFile, SeqOps},
//! };
//!
//! struct Listing;
//!
//! impl SeqOps for Listing {
//!     fn start(&self, pos: u64) -> Option<u64> {
//!         (pos < 3).then_some(pos)
//!     }
//!
//!     fn show(&self, pos: u64, out: &mut SeqFile) {
//!         out.print(fmt!("line {pos}\n"));
//!     }
//! }
//!
//! #[pin_data]
//! struct Driver {
//!     #[pin]
//!     file: ProcFile<Listing>,
//! }
//!
//! impl kernel::InPlaceModule for Driver {
//!     fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
//!         try_pin_init!(Self {
//!             file <- ProcFile::new(module, c"driver", Mode::OwnerRead, Listing),
//!         })
//!     }
//! }
//! ```
//!
//! # Waiting, and module unload
//!
//! An open file does not keep the module loaded, because a process could hold it open forever. The
//! module can be unloaded, and the file removed, as soon as no read of it is running; a later read
//! returns `EIO`.
//!
//! A read includes the copy to the reader's memory. If another process serves that memory (FUSE,
//! userfaultfd), the copy may take long or forever: the unload then waits until the reader is
//! killed. Files in [debugfs](crate::fs::debugfs) do not wait for that copy. The page on
//! [security](../../../explanation/security.html) has the details.
//!
//! Concurrent readers of one open file may get the same records, as for a device. A reader that
//! waits for another one's read can be killed at once.
//!
//! A leaked [`ProcFile`] is removed when its module is unloaded, and a warning is logged.
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

use crate::{
    fs::{
        owner::{
            Handle,
            OwnedFile,
            Place, //
        },
        seq_file::SeqOps, //
    },
    sys::{
        bindings,
        in_place, //
    }, //
};
use core::{
    marker::PhantomPinned,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// Access mode of a file.
///
/// # Examples
///
/// ```
/// use kalloc::fs::procfs::Mode;
///
/// /// Only root may read addresses.
/// fn readers(shows_addresses: bool) -> Mode {
///     if shows_addresses {
///         Mode::OwnerRead
///     } else {
///         Mode::AllRead
///     }
/// }
///
/// assert_eq!(readers(true), Mode::OwnerRead);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Root: mode 0400.
    OwnerRead,
    /// Everyone: mode 0444.
    AllRead,
}

impl Mode {
    const fn mode(self) -> bindings::umode_t {
        match self {
            Mode::OwnerRead => 0o400,
            Mode::AllRead => 0o444,
        }
    }
}

/// A read-only file in `/proc` (`struct proc_dir_entry`), which exists until this is dropped.
///
/// # Examples
///
/// ```
/// use kalloc::fs::{
///     procfs::{Mode, ProcFile},
///     seq_file::{SeqFile, SeqOps},
/// };
///
/// struct Greeting(&'static [u8]);
///
/// impl SeqOps for Greeting {
///     fn start(&self, pos: u64) -> Option<u64> {
///         (pos == 0).then_some(0)
///     }
///
///     fn show(&self, _pos: u64, out: &mut SeqFile) {
///         out.write(self.0);
///     }
/// }
///
/// # let module = crate::module();
/// let greeting = Greeting(b"hello\n");
/// let file = ProcFile::new(module, c"doc_proc_file", Mode::AllRead, greeting);
/// let file = KBox::pin_init(file, GFP_KERNEL)?;
/// assert_eq!(file.records().0, b"hello\n");
/// # Ok::<(), Error>(())
/// ```
#[pin_data]
pub struct ProcFile<R: SeqOps + 'static> {
    file: OwnedFile<R>,
    #[pin]
    _pin: PhantomPinned,
}

impl<R: SeqOps + 'static> ProcFile<R> {
    /// Creates `/proc/name`, a file of `module`.
    ///
    /// The records are moved through the stack, and must have at most 2 KiB. Larger state must be
    /// in a `KBox` or an `Arc`.
    ///
    /// # Context
    ///
    /// Process context; may sleep. Dropping may sleep as well, because it waits for readers: the
    /// records themselves must not drop the file, nor may a holder of a lock that they take.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if `name` is empty, a number, longer than 255 bytes, `.`, `..`, not UTF-8, or
    ///   contains a `/` or a control character.
    /// - [`EINVAL`] if the caller is not `module`.
    /// - [`EEXIST`] if `/proc` has an entry of this name: a file of this crate, of the kernel or of
    ///   another module, `self` or `thread-self`.
    /// - [`EAGAIN`] in a context known to be atomic.
    /// - [`ENOMEM`] if there is no memory.
    ///
    /// The check cannot exclude C code that creates an entry of the same name concurrently. The
    /// kernel then logs a warning, as for two C modules that create one entry, and the second
    /// creator fails with [`ENOMEM`]. The table of entries has its own lock, which modules cannot
    /// take.
    pub fn new(
        module: &'static ThisModule,
        name: &'static CStr,
        readers: Mode,
        records: R,
    ) -> impl PinInit<Self, Error> {
        const { in_place::assert_movable::<R>() };
        let create = move |source| {
            // SAFETY: The name is a NUL-terminated string. The source is valid until the file is
            // removed.
            let entry = unsafe {
                to_result(bindings::kalloc_helper_proc_is_free(name.as_char_ptr()))?;
                bindings::kalloc_helper_proc_create(name.as_char_ptr(), readers.mode(), source)
            };
            NonNull::new(entry).map(Handle::Proc).ok_or(ENOMEM)
        };
        try_pin_init!(Self {
            file: OwnedFile::new(module, Place::Proc, name, records, None, create)?,
            _pin: PhantomPinned,
        })
    }

    /// Returns the records that the file shows.
    pub fn records(&self) -> &R {
        self.file.records()
    }
}
