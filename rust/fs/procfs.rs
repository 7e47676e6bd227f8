// SPDX-License-Identifier: GPL-2.0

//! Files in `/proc` that show a sequence of records.
//!
//! A module keeps a [`ProcFile`] where it keeps all that it is, and what it shows behind it:
//!
//! ```no_run
//! use kalloc::fs::{
//!     procfs::{Mode, ProcFile},
//!     seq_file::{Output, Records},
//! };
//!
//! struct Listing;
//!
//! impl Records for Listing {
//!     fn seek(&self, pos: u64) -> Option<u64> {
//!         (pos < 3).then_some(pos)
//!     }
//!
//!     fn show(&self, pos: u64, out: &mut Output) {
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
//! # Who waits for whom
//!
//! An open file does not keep the module loaded: somebody could sit on it for ever. The module goes, and
//! the file with it, as soon as no read of it is under way; a read after that is `EIO`.
//!
//! A read includes the copy to the reader's memory, which may be long in coming if another process serves it (FUSE,
//! userfaultfd), or never come: the module then waits until the reader is killed. Files in
//! [debugfs](crate::fs::debugfs) do not wait for that. The page on [security](../../../explanation/security.html) has more.
//!
//! Those that share an open file and read it at the same time may be shown the same records, as with a device.
//! One that waits for another one's read is killed at once.
//!
//! A [`ProcFile`] that was forgotten is removed when its module has gone, with a line in the log.
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

use crate::{
    fs::{
        owner::{
            self,
            Handle,
            Id,
            Place,
            Shown,
            Source, //
        },
        seq_file::{
            Callbacks,
            Records, //
        }, //
    },
    sys::bindings, //
};
use core::{
    marker::PhantomPinned,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// Who may read a file.
///
/// # Examples
///
/// ```
/// use kalloc::fs::procfs::Mode;
///
/// /// Addresses are for root only.
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

/// A file in `/proc`, read-only. It is there until this is dropped.
///
/// # Examples
///
/// ```
/// use kalloc::fs::{
///     procfs::{Mode, ProcFile},
///     seq_file::{Output, Records},
/// };
///
/// struct Greeting(&'static [u8]);
///
/// impl Records for Greeting {
///     fn seek(&self, pos: u64) -> Option<u64> {
///         (pos == 0).then_some(0)
///     }
///
///     fn show(&self, _pos: u64, out: &mut Output) {
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
///
/// # Invariants
///
/// `id` is that of a file that shows what is in `shown`, and that nobody else removes but `files` when its
/// module goes.
#[pin_data(PinnedDrop)]
pub struct ProcFile<R: Records + 'static> {
    id: Id,
    shown: KBox<Shown<R>>,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: The entry belongs to no thread; the records are `Send`.
unsafe impl<R: Records> Send for ProcFile<R> {}
// SAFETY: A shared reference gives access to the records, which are `Sync`, as readers do.
unsafe impl<R: Records> Sync for ProcFile<R> {}

impl<R: Records + 'static> ProcFile<R> {
    /// Creates `/proc/name`, a file of `module`.
    ///
    /// The records move here over the stack, so that they have at most 2 KiB: larger state is behind a
    /// `KBox` or an `Arc`.
    ///
    /// # Context
    ///
    /// Process context; may sleep. So does dropping it, which waits for readers: it must not be dropped
    /// by its own records, nor holding a lock that they take.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if `name` is empty, a number, longer than 255 bytes, `.`, `..`, not UTF-8, or has a `/`
    ///   or a control character; or if this is not called by `module`.
    /// - [`EEXIST`] if `/proc` has an entry of this name: a file that was created in this way, one of the
    ///   kernel's or of another module's, `self` or `thread-self`.
    /// - [`EAGAIN`] if the caller may not sleep.
    /// - [`ENOMEM`] if there is no memory.
    ///
    /// C code that creates an entry of the same name at this very moment is not seen. Then the kernel warns,
    /// as it does if two C modules create one, and the second of the two gets [`ENOMEM`]: the table of
    /// entries has a lock of its own, which modules cannot take.
    pub fn new(
        module: &'static ThisModule,
        name: &'static CStr,
        readers: Mode,
        records: R,
    ) -> impl PinInit<Self, Error> {
        const { crate::sys::in_place::assert_movable::<R>() };
        // SAFETY: On success the closure initialises all fields, on error none; nothing in it
        // moves the slot.
        unsafe {
            pin_init::pin_init_from_closure(move |slot: *mut Self| {
                let shown = Shown::new(records, |records| Source {
                    table: Callbacks::<R>::TABLE,
                    records,
                    write: None,
                    cancel: None,
                })?;
                let source = shown.source();
                // The records are in place before the first reader can come. They stay there until the file
                // has been removed, or for ever.
                let id = owner::add(module, source, Place::Proc, name, &|| {
                    to_result(bindings::kalloc_helper_proc_is_free(name.as_char_ptr()))?;
                    let entry = bindings::kalloc_helper_proc_create(
                        name.as_char_ptr(),
                        readers.mode(),
                        source.cast(),
                    );
                    NonNull::new(entry).map(Handle::Proc).ok_or(ENOMEM)
                })?;
                // INVARIANT: Just created, with that source.
                (&raw mut (*slot).id).write(id);
                (&raw mut (*slot).shown).write(shown);
                Ok(())
            })
        }
    }

    /// What the file shows.
    pub fn records(&self) -> &R {
        self.shown.records()
    }
}

#[pinned_drop]
impl<R: Records> PinnedDrop for ProcFile<R> {
    fn drop(self: Pin<&mut Self>) {
        // By the type invariants, the file is ours. This waits for readers inside a callback, and lets
        // none in again, before the records go.
        owner::remove(self.id);
    }
}
