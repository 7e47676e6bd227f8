// SPDX-License-Identifier: GPL-2.0

//! `/sys/kernel/debug/kalloc/`, where this module and those that use it have their files.
//!
//! Files of the kernel crate's kinds are created in [`dir`]. A [`SeqFile`] shows [`Records`], and so any
//! number of lines, of which a reader sees as many as it likes.
//!
//! An open file keeps kalloc.ko loaded, but no other module: what was said of
//! [files in `/proc`](crate::procfs) holds here, too.

use crate::{
    bindings,
    files::{
        self,
        Handle,
        Place, //
    },
    seq::{
        Callbacks,
        Keeper,
        Records, //
    }, //
};
use core::{
    marker::PhantomPinned,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    debugfs::Dir,
    error::from_err_ptr,
    ffi::c_void,
    prelude::*, //
};

/// The directory's name.
const NAME: &CStr = c"kalloc";

kernel::sync::global_lock! {
    // SAFETY: `Root::new` initialises it, before any other module can be loaded that asks for it.
    unsafe(uninit) static ROOT: Mutex<Option<Dir>> = None;
}

/// Keeps the directory.
pub(crate) struct Root(());

impl Root {
    /// Creates the directory.
    ///
    /// # Safety
    ///
    /// Must be called once, before [`dir`].
    pub(crate) unsafe fn new() -> Self {
        // SAFETY: Once, and first, by the requirement of this function.
        unsafe { ROOT.init() };
        *ROOT.lock() = Some(Dir::new(NAME));
        Root(())
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        *ROOT.lock() = None;
    }
}

/// Returns the directory, to create files in.
///
/// # Examples
///
/// ```
/// use kalloc::debugfs;
///
/// // With what is created in it, it is there until it is dropped.
/// let mine = debugfs::dir().map(|dir| dir.subdir(c"doc_debugfs"));
/// assert!(mine.is_some());
/// ```
pub fn dir() -> Option<Dir> {
    ROOT.lock().clone()
}

/// Files in debugfs, as [`Keeper`]s of what they show.
struct Debug;

// SAFETY: Opening a file makes its records the seq file's private data. debugfs calls a file back only
// while it keeps it from being removed.
unsafe impl Keeper for Debug {
    unsafe fn find(m: *mut bindings::seq_file) -> *mut c_void {
        // SAFETY: By the requirements of this function.
        unsafe { (*m).private }
    }
}

/// A file in the directory that shows records, read-only for root. It is there until this is
/// dropped.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     debugfs::SeqFile,
///     seq::{Output, Records},
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
/// # use kernel::ModuleMetadata;
/// # let module = &crate::LocalModule::THIS_MODULE;
/// let file = SeqFile::new(module, c"doc_seq_file", Greeting(b"hello\n"));
/// let file = KBox::pin_init(file, GFP_KERNEL)?;
/// assert_eq!(file.records().0, b"hello\n");
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `handle`, if there is one, is a file that shows `self.records`, and that nobody else removes but
/// `files` when its module goes.
#[pin_data(PinnedDrop)]
pub struct SeqFile<R: Records + 'static> {
    handle: Option<Handle>,
    records: R,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: The entry belongs to no thread; the records are `Send`.
unsafe impl<R: Records> Send for SeqFile<R> {}
// SAFETY: A shared reference gives access to the records, which are `Sync`, as readers do.
unsafe impl<R: Records> Sync for SeqFile<R> {}

impl<R: Records + 'static> SeqFile<R> {
    /// Creates the file `name`, a file of `module`, if there is debugfs.
    ///
    /// # Context
    ///
    /// As [`ProcFile::new`](crate::procfs::ProcFile::new).
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if `name` is empty, a number, longer than 255 bytes, `.`, `..`, or has a `/`; or if
    ///   this is not called by `module`.
    /// - [`EEXIST`] if a file of this name was created in this way.
    /// - [`ENOMEM`] if there is no memory.
    ///
    /// That there is no debugfs is no error, nor that it does not take the file: nothing may depend on
    /// it.
    pub fn new(
        module: &'static ThisModule,
        name: &'static CStr,
        records: R,
    ) -> impl PinInit<Self, Error> {
        // SAFETY: On success the closure initialises all fields, on error none; nothing in it moves
        // the slot.
        unsafe {
            pin_init::pin_init_from_closure(move |slot: *mut Self| {
                let data = &raw mut (*slot).records;
                data.write(records);
                let table = Callbacks::<R, Debug>::TABLE;
                // The records are in place before the first reader can come.
                let handle = files::add(module, table, Place::Debug, name, &|| {
                    let parent = bindings::debugfs_lookup(NAME.as_char_ptr(), ptr::null_mut());
                    let parent = from_err_ptr(parent).map(NonNull::new)?.ok_or(ENODEV)?;
                    let entry = bindings::kalloc_helper_debugfs_create_seq(
                        name.as_char_ptr(),
                        parent.as_ptr(),
                        data.cast(),
                        table,
                    );
                    bindings::dput(parent.as_ptr());
                    let entry = from_err_ptr(entry).map_err(|_| ENODEV)?;
                    NonNull::new(entry).map(Handle::Debug).ok_or(ENODEV)
                });
                let handle = match handle {
                    Ok(handle) => Some(handle),
                    Err(error) if error == ENODEV => None,
                    Err(error) => {
                        data.drop_in_place();
                        return Err(error);
                    }
                };
                // INVARIANT: Just created, with that data.
                (&raw mut (*slot).handle).write(handle);
                Ok(())
            })
        }
    }

    /// What the file shows.
    pub fn records(&self) -> &R {
        &self.records
    }
}

#[pinned_drop]
impl<R: Records> PinnedDrop for SeqFile<R> {
    fn drop(self: Pin<&mut Self>) {
        // By the type invariants, the file is ours. This waits for readers inside a callback, and lets
        // none in again, before the records go.
        if let Some(handle) = self.handle {
            files::remove(handle);
        }
    }
}
