// SPDX-License-Identifier: GPL-2.0

//! `/sys/kernel/debug/kalloc/`, where this module and those that use it have their files.
//!
//! A [`SeqFile`] shows [`Records`], and so any number of lines, of which a reader sees as many as it
//! likes. It may take [`Commands`].
//!
//! An open file keeps kalloc.ko loaded, but no other module: the module of its records goes, and the file
//! with it, as soon as none of their functions is being called; a call after that is `EIO`. No memory of a
//! process is waited for meanwhile: a command is copied before [`Commands::command`] is called, and records
//! are copied after they were shown.
//!
//! Those that share an open file and read it at the same time may be shown the same records, as with a
//! device. One that waits for another one's read is killed at once.
//!
//! The directory is locked while a file of it goes: what a file calls must neither create nor drop one.
//!
//! # The kernel crate's own files
//!
//! They can be created in [`dir`], but not by what may be unloaded: their table of functions is in the
//! module that creates them, which an open one does not keep loaded, and debugfs looks into the table once
//! more when the file is closed (Linux 7.3). That of a [`SeqFile`] is in kalloc.ko.

use crate::{
    fs::{
        owner::{
            self,
            CancelFn,
            Handle,
            Id,
            Place,
            Shown,
            Source,
            WriteFn, //
        },
        seq_file::{
            Callbacks,
            Records, //
        }, //
    },
    sys::{
        bindings,
        failure::Failure, //
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

/// The most bytes of a command: a page.
pub const MAX_COMMAND: usize = PAGE_SIZE;

/// The directory's name.
const NAME: &CStr = c"kalloc";

/// What the directory has, and no other one, while it is created.
const PROBE: &CStr = c".kalloc.ko";

kernel::sync::global_lock! {
    // SAFETY: `Root::new` initialises it, before any other module can be loaded that asks for it.
    unsafe(uninit) static ROOT: Mutex<Option<Dir>> = None;
}

/// Keeps the directory.
///
/// # Invariants
///
/// The entry is that of the directory in [`ROOT`], with a reference to it. There is none if the directory
/// is another module's, or there is no debugfs.
pub(crate) struct Root(Option<NonNull<bindings::dentry>>);

// SAFETY: An entry belongs to no thread.
unsafe impl Send for Root {}
// SAFETY: A shared reference gives access to nothing.
unsafe impl Sync for Root {}

impl Root {
    /// Creates the directory.
    ///
    /// # Safety
    ///
    /// Must be called once, before [`dir`].
    pub(crate) unsafe fn new() -> Self {
        // SAFETY: This is called once, before anything else uses the lock.
        unsafe { ROOT.init() };
        let dir = Dir::new(NAME);
        // The kernel crate does not return whether it created the directory. There may be one of another module.
        let probe = dir.subdir(PROBE);
        let entry = find().ok().filter(|entry| {
            // SAFETY: The entry is a directory, and there is a reference to it.
            let is_it =
                unsafe { bindings::kalloc_helper_debugfs_has(PROBE.as_char_ptr(), entry.as_ptr()) };
            if !is_it {
                // SAFETY: The reference is not used any more.
                unsafe { bindings::dput(entry.as_ptr()) };
            }
            is_it
        });
        drop(probe);
        *ROOT.lock() = Some(dir);
        // INVARIANT: What was created in the directory is in that of this entry.
        Root(entry)
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        *ROOT.lock() = None;
        let Some(entry) = self.0 else { return };
        // SAFETY: By the invariants, there is a reference to the entry.
        if !unsafe { bindings::kalloc_helper_debugfs_is_gone(entry.as_ptr()) } {
            // All modules that use this one have gone. The directory would be in this one's way when it is
            // loaded again.
            pr_warn!("{NAME}: removed, an owner of the directory was forgotten\n");
            // SAFETY: By the invariants, the entry is the directory that this module created.
            unsafe { bindings::kalloc_helper_debugfs_remove_owned(entry.as_ptr()) };
        }
        // SAFETY: By the invariants, there is a reference, which is not used any more.
        unsafe { bindings::dput(entry.as_ptr()) };
    }
}

/// Returns the directory of that name, which may be another module's, with a reference to it.
///
/// # Errors
///
/// [`ENODEV`] if there is none.
fn find() -> Result<NonNull<bindings::dentry>> {
    // SAFETY: The name is a string that ends with NUL.
    let entry = unsafe { bindings::kalloc_helper_debugfs_folder(NAME.as_char_ptr()) };
    from_err_ptr(entry)
        .ok()
        .and_then(NonNull::new)
        .ok_or(ENODEV)
}

/// Returns the directory, to create files in.
///
/// An owner that is forgotten keeps the directory until kalloc.ko is unloaded, which removes all that is
/// left in it.
///
/// # Examples
///
/// ```
/// use kalloc::fs::debugfs;
///
/// // With what is created in it, it is there until it is dropped.
/// let mine = debugfs::dir().map(|dir| dir.subdir(c"doc_debugfs"));
/// assert!(mine.is_some());
/// ```
pub fn dir() -> Option<Dir> {
    ROOT.lock().clone()
}

/// What a file takes besides: commands, one with each write.
///
/// # Context
///
/// As that of [`Records`]; any number of writers may call at a time.
///
/// # Examples
///
/// ```
/// use kalloc::fs::{
///     debugfs::{Commands, SeqFile, MAX_COMMAND},
///     seq_file::{Output, Records},
/// };
/// use kernel::sync::atomic::{ordering::Relaxed, Atomic};
///
/// /// Shows the length of the last write.
/// struct Last(Atomic<usize>);
///
/// impl Records for Last {
///     fn seek(&self, pos: u64) -> Option<u64> {
///         (pos == 0).then_some(0)
///     }
///
///     fn show(&self, _pos: u64, out: &mut Output) {
///         out.print(fmt!("{}\n", self.0.load(Relaxed)));
///     }
/// }
///
/// impl Commands for Last {
///     fn command(&self, text: &[u8]) -> Result {
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
/// let file = SeqFile::with_commands(module, c"doc_commands", Last(Atomic::new(0)));
/// let file = KBox::pin_init(file, GFP_KERNEL)?;
/// assert_eq!(file.records().0.load(Relaxed), 0);
/// # Ok::<(), Error>(())
/// ```
pub trait Commands: Records {
    /// Does what `text`, the whole of a write, asks for. It was copied before: nothing waits for the writer's
    /// memory any more, and the writer cannot change it. One of more than [`MAX_COMMAND`] bytes is refused
    /// with [`E2BIG`].
    ///
    /// # Errors
    ///
    /// The writer gets the error that is returned, unless C code would act on it: see
    /// [`failure`](crate::sys::failure) for the list. `EAGAIN` becomes `EBUSY`.
    fn command(&self, text: &[u8]) -> Result;

    /// Tells that the file goes, once for each command that is under way. What removes it, the module's
    /// unloading perhaps, waits until they have returned: those that take long are to end early.
    fn cancel(&self) {}
}

/// Hands a write on.
///
/// # Safety
///
/// `records` must point to an `R`, and `text` to `len` bytes, which are valid until this returns.
unsafe extern "C" fn write<R: Commands>(
    records: *mut c_void,
    text: *const c_void,
    len: usize,
) -> isize {
    // SAFETY: `records` points to an `R`, and `text` to `len` bytes, which C does not write until this returns; it
    // is not NULL, even if `len` is 0.
    let (records, text) = unsafe {
        (
            &*records.cast::<R>(),
            slice::from_raw_parts(text.cast::<u8>(), len),
        )
    };
    match records.command(text) {
        // CAST: It is a page at most.
        Ok(()) => len as isize,
        Err(error) => Failure::from(error).to_errno() as isize,
    }
}

/// Tells that the file goes.
///
/// # Safety
///
/// `records` must point to an `R`, which is valid until this returns.
unsafe extern "C" fn cancel<R: Commands>(records: *mut c_void) {
    // SAFETY: `records` points to an `R`, which is valid until this returns.
    unsafe { &*records.cast::<R>() }.cancel();
}

/// A file in the directory that shows records, for root; read-only, unless it takes commands. It is there
/// until this is dropped.
///
/// # Examples
///
/// ```
/// use kalloc::fs::{
///     debugfs::SeqFile,
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
/// let file = SeqFile::new(module, c"doc_seq_file", Greeting(b"hello\n"));
/// let file = KBox::pin_init(file, GFP_KERNEL)?;
/// assert_eq!(file.records().0, b"hello\n");
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `id`, if there is one, is that of a file whose source is that of `shown`, until `files` removes it, or somebody
/// the directory.
#[pin_data(PinnedDrop)]
pub struct SeqFile<R: Records + 'static> {
    id: Option<Id>,
    shown: KBox<Shown<R>>,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: The entry belongs to no thread; the records are `Send`.
unsafe impl<R: Records> Send for SeqFile<R> {}
// SAFETY: A shared reference gives access to the records, which are `Sync`, as readers do.
unsafe impl<R: Records> Sync for SeqFile<R> {}

impl<R: Records + 'static> SeqFile<R> {
    /// Creates the file `name`, a file of `module`, if there is debugfs. The records have at most 2 KiB, as
    /// those of a [`ProcFile`](crate::fs::procfs::ProcFile::new).
    ///
    /// # Context
    ///
    /// As [`ProcFile::new`](crate::fs::procfs::ProcFile::new).
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if `name` is empty, a number, longer than 255 bytes, `.`, `..`, not UTF-8, or has a `/`
    ///   or a control character; or if this is not called by `module`.
    /// - [`EEXIST`] if the directory has a file or directory of this name.
    /// - [`EAGAIN`] if the caller may not sleep.
    /// - [`ENOMEM`] if there is no memory.
    ///
    /// That there is no debugfs is no error, nor that it does not take the file: nothing may depend on
    /// it.
    pub fn new(
        module: &'static ThisModule,
        name: &'static CStr,
        records: R,
    ) -> impl PinInit<Self, Error> {
        Self::create(module, name, records, None)
    }

    /// As [`new`](Self::new), for a file that takes commands as well.
    ///
    /// # Context
    ///
    /// As [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_commands(
        module: &'static ThisModule,
        name: &'static CStr,
        records: R,
    ) -> impl PinInit<Self, Error>
    where
        R: Commands,
    {
        Self::create(module, name, records, Some((write::<R>, cancel::<R>)))
    }

    /// Puts the records in place, and creates the file.
    fn create(
        module: &'static ThisModule,
        name: &'static CStr,
        records: R,
        commands: Option<(WriteFn, CancelFn)>,
    ) -> impl PinInit<Self, Error> {
        const { crate::sys::in_place::assert_movable::<R>() };
        // SAFETY: On success the closure initialises all fields, on error none; nothing in it moves
        // the slot.
        unsafe {
            pin_init::pin_init_from_closure(move |slot: *mut Self| {
                let shown = Shown::new(records, |records| Source {
                    table: Callbacks::<R>::TABLE,
                    records,
                    write: commands.map(|(write, _)| write),
                    cancel: commands.map(|(_, cancel)| cancel),
                })?;
                let source = shown.source();
                // The records are in place before the first reader can come.
                let id = owner::add(module, source, Place::Debug, name, &|| {
                    let parent = find()?;
                    // debugfs logs an error for a name that is taken.
                    let taken =
                        bindings::kalloc_helper_debugfs_has(name.as_char_ptr(), parent.as_ptr());
                    let entry = match taken {
                        true => Err(EEXIST),
                        false => from_err_ptr(bindings::kalloc_helper_debugfs_create(
                            name.as_char_ptr(),
                            parent.as_ptr(),
                            source.cast(),
                            commands.is_some(),
                        )),
                    };
                    bindings::dput(parent.as_ptr());
                    let entry = entry.map_err(|e| if e == EEXIST { e } else { ENODEV })?;
                    NonNull::new(entry).map(Handle::Debug).ok_or(ENODEV)
                });
                let id = match id {
                    Ok(id) => Some(id),
                    Err(error) if error == ENODEV => None,
                    Err(error) => return Err(error),
                };
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
impl<R: Records> PinnedDrop for SeqFile<R> {
    fn drop(self: Pin<&mut Self>) {
        // By the type invariants, the file is ours. This waits for readers inside a callback, and lets
        // none in again, before the records go.
        if let Some(id) = self.id {
            owner::remove(id);
        }
    }
}
