// SPDX-License-Identifier: GPL-2.0-only

//! `/sys/kernel/debug/kalloc/`, the directory for the files of kalloc.ko and of the modules that
//! use it.
//!
//! A [`DebugfsFile`] shows the records of a [`SeqOps`]: any number of lines, of which each reader
//! reads as many as it needs. It accepts commands if it has [`WriteOps`].
//!
//! An open file keeps kalloc.ko loaded, but not the module of its records. That module can be
//! unloaded, and the file removed, as soon as none of its functions is running; a later call
//! returns `EIO`. The removal never waits for a process's memory: a command is copied before the
//! call of [`WriteOps::write`], and records are copied to the reader after they were shown.
//!
//! Concurrent readers of one open file may get the same records, as for a device. A reader that
//! waits for another one's read can be killed at once.
//!
//! The directory is locked while one of its files is removed. The functions of a file must
//! therefore neither create nor drop a file.
//!
//! # The kernel crate's own files
//!
//! Files of the kernel crate can be created in [`dir`], but not by modules that can be unloaded.
//! Their table of functions is in the module that creates them, which an open file does not keep
//! loaded. debugfs reads the table again when the file is closed (Linux 7.3). The table of a
//! [`DebugfsFile`] is in kalloc.ko.

use crate::{
    fs::{
        owner::{
            CancelFn,
            Handle,
            OwnedFile,
            Place,
            WriteFn, //
        },
        seq_file::SeqOps, //
    },
    sys::{
        bindings,
        failure::Failure,
        in_place,
        static_mutex::StaticMutex, //
    }, //
};
use core::{
    marker::PhantomPinned,
    ptr::NonNull,
    slice, //
};
use kernel::{
    debugfs::Dir,
    error::from_err_ptr,
    ffi::c_void,
    page::PAGE_SIZE,
    prelude::*, //
};

/// The size limit of a command in bytes: one page.
pub const MAX_COMMAND: usize = PAGE_SIZE;

/// The name of the directory.
const NAME: &CStr = c"kalloc";

/// The name of a temporary entry that identifies the directory while it is created.
const PROBE: &CStr = c".kalloc.ko";

// SAFETY: The helper returns a static mutex, which is only for this directory.
static ROOT: StaticMutex<Option<Created>> =
    unsafe { StaticMutex::new(bindings::kalloc_helper_debugfs_mutex, None) };

/// The directory (`struct dentry`).
///
/// # Invariants
///
/// The entry is that of the directory, with a reference. There is no entry if another module
/// created the directory.
struct Created {
    dir: Dir,
    entry: Option<NonNull<bindings::dentry>>,
}

// SAFETY: A dentry is not bound to a thread.
unsafe impl Send for Created {}

impl Created {
    /// Creates the directory, or returns `None` if there is no debugfs.
    fn new() -> Option<Self> {
        // SAFETY: The helper reads a variable.
        if !unsafe { bindings::kalloc_helper_debugfs_exists() } {
            return None;
        }
        let dir = Dir::new(NAME);
        // The kernel crate does not return whether it created the directory, which may be another
        // module's.
        let probe = dir.subdir(PROBE);
        let entry = find().ok().filter(|entry| {
            // SAFETY: The entry is a directory, with a reference.
            let is_it =
                unsafe { bindings::kalloc_helper_debugfs_has(PROBE.as_char_ptr(), entry.as_ptr()) };
            if !is_it {
                // SAFETY: The reference is owned, and is not used again.
                unsafe { bindings::dput(entry.as_ptr()) };
            }
            is_it
        });
        drop(probe);
        // INVARIANT: The probe, created in `dir`, was found in the directory of this entry.
        Some(Created { dir, entry })
    }
}

/// Owner of the directory, which exists until this is dropped. Built into the kernel, this crate
/// keeps its directory.
pub(crate) struct Root(());

impl Root {
    /// Creates the directory, unless [`dir`] or a file has created it.
    pub(crate) fn new() -> Self {
        dir();
        Root(())
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if !cfg!(MODULE) {
            return;
        }
        let Some(Created { dir, entry }) = ROOT.lock().take() else {
            return;
        };
        drop(dir);
        let Some(entry) = entry else { return };
        // SAFETY: By the type invariants, there is a reference to the entry.
        if !unsafe { bindings::kalloc_helper_debugfs_is_gone(entry.as_ptr()) } {
            // All modules that use this one are unloaded. If the directory stayed, this module
            // could not create it when it is loaded again.
            pr_warn!("{NAME}: removed, an owner of the directory was forgotten\n");
            // SAFETY: By the type invariants, the entry is the directory that this module created.
            unsafe { bindings::kalloc_helper_debugfs_remove_owned(entry.as_ptr()) };
        }
        // SAFETY: By the type invariants, the reference is owned. It is not used again.
        unsafe { bindings::dput(entry.as_ptr()) };
    }
}

/// Returns the directory of that name, with a reference. It may be another module's.
///
/// # Errors
///
/// [`ENODEV`] if there is no such directory.
fn find() -> Result<NonNull<bindings::dentry>> {
    // SAFETY: The name is a NUL-terminated string.
    let entry = unsafe { bindings::kalloc_helper_debugfs_dir(NAME.as_char_ptr()) };
    from_err_ptr(entry)
        .ok()
        .and_then(NonNull::new)
        .ok_or(ENODEV)
}

/// Returns the directory, as the parent of new files. It is created at the first use.
///
/// Returns `None` if there is no debugfs. Initcalls before those of the file systems run without
/// debugfs.
///
/// A leaked clone keeps the directory until kalloc.ko is unloaded, which removes the directory with
/// its contents.
///
/// # Examples
///
/// ```
/// use kalloc::fs::debugfs;
///
/// // The subdirectory and its contents exist until it is dropped.
/// let mine = debugfs::dir().map(|dir| dir.subdir(c"doc_debugfs"));
/// assert_eq!(mine.is_some(), cfg!(CONFIG_DEBUG_FS));
/// ```
pub fn dir() -> Option<Dir> {
    let mut root = ROOT.lock();
    if root.is_none() {
        *root = Created::new();
    }
    root.as_ref().map(|root| root.dir.clone())
}

/// The functions of a file that accepts commands, one with each write.
///
/// # Context
///
/// The context of [`SeqOps`]. Any number of writers may call concurrently.
///
/// # Examples
///
/// ```
/// use kalloc::fs::{
///     debugfs::{DebugfsFile, WriteOps, MAX_COMMAND},
///     seq_file::{SeqFile, SeqOps},
/// };
/// use kernel::sync::atomic::{ordering::Relaxed, Atomic};
///
/// /// Shows the length of the last write.
/// struct Last(Atomic<usize>);
///
/// impl SeqOps for Last {
///     fn start(&self, pos: u64) -> Option<u64> {
///         (pos == 0).then_some(0)
///     }
///
///     fn show(&self, _pos: u64, out: &mut SeqFile) {
///         out.print(fmt!("{}\n", self.0.load(Relaxed)));
///     }
/// }
///
/// impl WriteOps for Last {
///     fn write(&self, text: &[u8]) -> Result {
///         assert!(text.len() <= MAX_COMMAND);
///         self.0.store(text.len(), Relaxed);
///         Ok(())
///     }
///
///     fn cancel(&self) {
///         pr_info!("a command is under way, and has nothing to wait for\n");
///     }
/// }
///
/// # let module = crate::module();
/// let file = DebugfsFile::with_write(module, c"doc_commands", Last(Atomic::new(0)));
/// let file = KBox::pin_init(file, GFP_KERNEL)?;
/// assert_eq!(file.records().0.load(Relaxed), 0);
/// # Ok::<(), Error>(())
/// ```
pub trait WriteOps: SeqOps {
    /// Executes the command `text`, the contents of one write.
    ///
    /// The text was copied before the call: nothing waits for the writer's memory, and the writer
    /// cannot change it. A write of more than [`MAX_COMMAND`] bytes fails with [`E2BIG`].
    ///
    /// # Errors
    ///
    /// The writer gets the returned error, unless C code would act on it: see
    /// [`failure`](crate::sys::failure) for the list. `EAGAIN` becomes `EBUSY`.
    fn write(&self, text: &[u8]) -> Result;

    /// Requests an early end of a running command, once for each, when the file is being removed.
    ///
    /// The removal (for example on module unload) waits for running commands. A long command should
    /// therefore return early.
    fn cancel(&self) {}
}

/// Forwards a write to [`WriteOps::write`].
///
/// # Safety
///
/// - `records` must point to an `R` that is valid until this returns.
/// - `text` must point to `len` bytes that are valid and not written until this returns.
unsafe extern "C" fn write<R: WriteOps>(
    records: *mut c_void,
    text: *const c_void,
    len: usize,
) -> isize {
    // SAFETY: By the requirements of this function, `records` points to an `R`, and `text` to `len`
    // bytes that C does not write until this returns. `text` is not NULL, even if `len` is 0.
    let (records, text) = unsafe {
        (
            &*records.cast::<R>(),
            slice::from_raw_parts(text.cast::<u8>(), len),
        )
    };
    match records.write(text) {
        // CAST: The length is at most a page.
        Ok(()) => len as isize,
        Err(error) => Failure::from(error).to_errno() as isize,
    }
}

/// Forwards the removal of the file to [`WriteOps::cancel`].
///
/// # Safety
///
/// `records` must point to an `R`, which is valid until this returns.
unsafe extern "C" fn cancel<R: WriteOps>(records: *mut c_void) {
    // SAFETY: By the requirement of this function, `records` points to an `R` that is valid until
    // this returns.
    unsafe { &*records.cast::<R>() }.cancel();
}

/// A file in the directory that shows records to root, which exists until this is dropped.
///
/// It is read-only unless it accepts commands.
///
/// # Examples
///
/// ```
/// use kalloc::fs::{
///     debugfs::DebugfsFile,
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
/// let file = DebugfsFile::new(module, c"doc_seq_file", Greeting(b"hello\n"));
/// let file = KBox::pin_init(file, GFP_KERNEL)?;
/// assert_eq!(file.records().0, b"hello\n");
/// # Ok::<(), Error>(())
/// ```
#[pin_data]
pub struct DebugfsFile<R: SeqOps + 'static> {
    file: OwnedFile<R>,
    #[pin]
    _pin: PhantomPinned,
}

impl<R: SeqOps + 'static> DebugfsFile<R> {
    /// Creates the file `name`, a file of `module`, if there is debugfs.
    ///
    /// The records must have at most 2 KiB, as for a
    /// [`ProcFile`](crate::fs::procfs::ProcFile::new).
    ///
    /// # Context
    ///
    /// The context of [`ProcFile::new`](crate::fs::procfs::ProcFile::new).
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if `name` is empty, a number, longer than 255 bytes, `.`, `..`, not UTF-8, or
    ///   contains a `/` or a control character.
    /// - [`EINVAL`] if the caller is not `module`.
    /// - [`EEXIST`] if the directory has a file or directory of this name.
    /// - [`EAGAIN`] in a context known to be atomic.
    /// - [`ENOMEM`] if there is no memory.
    ///
    /// Returns success without a file if there is no debugfs, or debugfs does not accept the file:
    /// no driver may depend on debugfs.
    pub fn new(
        module: &'static ThisModule,
        name: &'static CStr,
        records: R,
    ) -> impl PinInit<Self, Error> {
        Self::create(module, name, records, None)
    }

    /// Creates a file that also accepts commands. See [`new`](Self::new).
    ///
    /// # Context
    ///
    /// The context of [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// The errors of [`new`](Self::new).
    pub fn with_write(
        module: &'static ThisModule,
        name: &'static CStr,
        records: R,
    ) -> impl PinInit<Self, Error>
    where
        R: WriteOps,
    {
        Self::create(module, name, records, Some((write::<R>, cancel::<R>)))
    }

    /// Stores the records, and creates the file.
    fn create(
        module: &'static ThisModule,
        name: &'static CStr,
        records: R,
        commands: Option<(WriteFn, CancelFn)>,
    ) -> impl PinInit<Self, Error> {
        const { in_place::assert_movable::<R>() };
        let create = move |source| {
            dir();
            let parent = find()?;
            // SAFETY: The name is a NUL-terminated string. The parent is a directory, with a
            // reference that is not used again. The source is valid until the file is removed.
            let entry = unsafe {
                // debugfs logs an error for a name that is in use.
                let taken =
                    bindings::kalloc_helper_debugfs_has(name.as_char_ptr(), parent.as_ptr());
                let entry = match taken {
                    true => Err(EEXIST),
                    false => from_err_ptr(bindings::kalloc_helper_debugfs_create(
                        name.as_char_ptr(),
                        parent.as_ptr(),
                        source,
                        commands.is_some(),
                    )),
                };
                bindings::dput(parent.as_ptr());
                entry
            };
            let entry = entry.map_err(|e| if e == EEXIST { e } else { ENODEV })?;
            NonNull::new(entry).map(Handle::Debug).ok_or(ENODEV)
        };
        try_pin_init!(Self {
            file: OwnedFile::new(module, Place::Debug, name, records, commands, create)?,
            _pin: PhantomPinned,
        })
    }

    /// Returns the records that the file shows.
    pub fn records(&self) -> &R {
        self.file.records()
    }
}
