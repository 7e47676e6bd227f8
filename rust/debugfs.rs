// SPDX-License-Identifier: GPL-2.0

//! `/sys/kernel/debug/kalloc/`, where this module and those that use it have their files.
//!
//! A [`SeqFile`] shows [`Records`], and so any number of lines, of which a reader sees as many as it
//! likes. It may take [`Commands`].
//!
//! An open file keeps kalloc.ko loaded, but no other module: what was said of
//! [files in `/proc`](crate::procfs) holds here, too. The directory is locked while a file of it goes: what
//! a file calls must neither create nor drop one.
//!
//! # The kernel crate's own files
//!
//! They can be created in [`dir`], but not by what may be unloaded: their table of functions is in the
//! module that creates them, which an open one does not keep loaded, and debugfs looks into the table once
//! more when the file is closed (Linux 7.3). That of a [`SeqFile`] is in kalloc.ko.

use crate::{
    bindings,
    failure::Failure,
    files::{
        self,
        Handle,
        Id,
        Place, //
    },
    seq::{
        Callbacks,
        Keeper,
        Records, //
    }, //
};
use core::{
    marker::{
        PhantomData,
        PhantomPinned, //
    },
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    debugfs::Dir,
    error::from_err_ptr,
    ffi::c_void,
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice,
        UserSliceReader, //
    }, //
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

/// What a file takes besides: commands, one with each write.
///
/// # Context
///
/// As that of [`Records`]; any number of writers may call at a time.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     debugfs::{Commands, SeqFile},
///     seq::{Output, Records},
/// };
/// use kernel::{
///     sync::atomic::{ordering::Relaxed, Atomic},
///     uaccess::UserSliceReader,
/// };
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
///     fn command(&self, input: &mut UserSliceReader) -> Result {
///         self.0.store(input.len(), Relaxed);
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
    /// Does what `input`, the whole of a write, asks for.
    ///
    /// # Errors
    ///
    /// The writer gets the error that is returned, unless C code would act on it: see
    /// [`failure`](crate::failure) for the list. `EAGAIN` becomes `EBUSY`.
    fn command(&self, input: &mut UserSliceReader) -> Result;

    /// Tells that the file goes, once for each command that is under way. What removes it, the module's
    /// unloading perhaps, waits until they have returned: those that take long are to end early.
    fn cancel(&self) {}
}

/// What C calls for a file that takes commands; `struct kalloc_debugfs_table` there.
#[repr(C)]
struct Table {
    seq: bindings::seq_operations,
    write: unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> isize,
    cancel: unsafe extern "C" fn(*mut c_void),
}

/// The tables of files whose records are an `R`.
struct Tables<R>(PhantomData<R>);

impl<R: Commands + 'static> Tables<R> {
    /// The table, for files that are created with a pointer to an `R`.
    const TABLE: &'static Table = &Table {
        seq: *Callbacks::<R, Debug>::TABLE,
        write: write::<R>,
        cancel: cancel::<R>,
    };
}

/// Hands a write on.
///
/// # Safety
///
/// `data` must point to an `R`, which is valid until this returns.
unsafe extern "C" fn write<R: Commands>(data: *mut c_void, from: *mut c_void, len: usize) -> isize {
    // SAFETY: By the requirement of this function.
    let records = unsafe { &*data.cast::<R>() };
    let mut input = UserSlice::new(UserPtr::from_ptr(from), len).reader();
    match records.command(&mut input) {
        // CAST: The kernel limits writes to less than 2^31 bytes.
        Ok(()) => len as isize,
        Err(error) => Failure::from(error).to_errno() as isize,
    }
}

/// Tells that the file goes.
///
/// # Safety
///
/// As for [`write`].
unsafe extern "C" fn cancel<R: Commands>(data: *mut c_void) {
    // SAFETY: By the requirement of this function.
    unsafe { &*data.cast::<R>() }.cancel();
}

/// A file in the directory that shows records, for root; read-only, unless it takes commands. It is there
/// until this is dropped.
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
/// # let module = crate::module();
/// let file = SeqFile::new(module, c"doc_seq_file", Greeting(b"hello\n"));
/// let file = KBox::pin_init(file, GFP_KERNEL)?;
/// assert_eq!(file.records().0, b"hello\n");
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `id`, if there is one, is that of a file that shows `self.records` until `files` removes it, or somebody
/// the directory.
#[pin_data(PinnedDrop)]
pub struct SeqFile<R: Records + 'static> {
    id: Option<Id>,
    records: R,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: The entry belongs to no thread; the records are `Send`.
unsafe impl<R: Records> Send for SeqFile<R> {}
// SAFETY: A shared reference gives access to the records, which are `Sync`, as readers do.
unsafe impl<R: Records> Sync for SeqFile<R> {}

impl<R: Records + 'static> SeqFile<R> {
    /// Creates the file `name`, a file of `module`, if there is debugfs. The records have at most 2 KiB, as
    /// those of a [`ProcFile`](crate::procfs::ProcFile::new).
    ///
    /// # Context
    ///
    /// As [`ProcFile::new`](crate::procfs::ProcFile::new).
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
        let table = Callbacks::<R, Debug>::TABLE;
        Self::create(module, name, records, table, move |parent, data| {
            // SAFETY: By `create`, `parent` is a directory, and `data` valid as long as the file is there;
            // it goes before the module, which has the table.
            unsafe {
                bindings::kalloc_helper_debugfs_create_seq(name.as_char_ptr(), parent, data, table)
            }
        })
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
        let table = Tables::<R>::TABLE;
        Self::create(module, name, records, &table.seq, move |parent, data| {
            // SAFETY: As in `new`; the table is what this function wants.
            unsafe {
                bindings::kalloc_helper_debugfs_create_commands(
                    name.as_char_ptr(),
                    parent,
                    data,
                    ptr::from_ref(table).cast(),
                )
            }
        })
    }

    /// Puts the records in place, and calls `create` with the directory and with them.
    fn create(
        module: &'static ThisModule,
        name: &'static CStr,
        records: R,
        table: &'static bindings::seq_operations,
        create: impl Fn(*mut bindings::dentry, *mut c_void) -> *mut bindings::dentry,
    ) -> impl PinInit<Self, Error> {
        const { crate::place::assert_movable::<R>() };
        // SAFETY: On success the closure initialises all fields, on error none; nothing in it moves
        // the slot.
        unsafe {
            pin_init::pin_init_from_closure(move |slot: *mut Self| {
                let data = &raw mut (*slot).records;
                data.write(records);
                // The records are in place before the first reader can come.
                let id = files::add(module, table, data.cast(), Place::Debug, name, &|| {
                    let parent = bindings::kalloc_helper_debugfs_folder(NAME.as_char_ptr());
                    let parent = from_err_ptr(parent).map(NonNull::new)?.ok_or(ENODEV)?;
                    // debugfs logs an error for a name that is taken.
                    let taken =
                        bindings::kalloc_helper_debugfs_has(name.as_char_ptr(), parent.as_ptr());
                    let entry = match taken {
                        true => Err(EEXIST),
                        false => from_err_ptr(create(parent.as_ptr(), data.cast())),
                    };
                    bindings::dput(parent.as_ptr());
                    let entry = entry.map_err(|e| if e == EEXIST { e } else { ENODEV })?;
                    NonNull::new(entry).map(Handle::Debug).ok_or(ENODEV)
                });
                let id = match id {
                    Ok(id) => Some(id),
                    Err(error) if error == ENODEV => None,
                    Err(error) => {
                        data.drop_in_place();
                        return Err(error);
                    }
                };
                // INVARIANT: Just created, with that data.
                (&raw mut (*slot).id).write(id);
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
        if let Some(id) = self.id {
            files::remove(id);
        }
    }
}
