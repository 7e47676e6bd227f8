// SPDX-License-Identifier: GPL-2.0-only

//! The owner of each file: the module whose code the file calls.
//!
//! A file in `/proc` or debugfs does not keep the module loaded whose functions it calls. Removing
//! the file waits for running calls and admits no new ones, so it must be removed before the
//! module's code is freed. An owner type removes its file on drop; but safe code may leak the
//! owner. The notifier of the module loader then removes the file when the module is unloaded: none
//! of the module's code runs any more, and all of it still exists.

use crate::{
    fs::seq_file::{
        Callbacks,
        SeqOps, //
    },
    sys::{
        bindings,
        context,
        static_mutex::StaticMutex, //
    }, //
};
use core::{
    mem,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    ffi::{
        c_ulong,
        c_void, //
    },
    prelude::*,
    str::CString,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

// SAFETY: The helper returns a static mutex, which is only for this list.
static FILES: StaticMutex<Files> =
    unsafe { StaticMutex::new(bindings::kalloc_helper_files_mutex, Files::new()) };

/// The list of files.
struct Files {
    entries: KVec<Entry>,
    /// The id of the next file.
    next: u64,
}

/// The id of a file, which is never used again. The kernel's own handle of a removed file may be
/// reused soon.
#[derive(Clone, Copy, PartialEq)]
struct Id(u64);

/// Function that executes a command, given a copy of the write.
pub(crate) type WriteFn = unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> isize;
/// Function that requests an early end of a running command.
pub(crate) type CancelFn = unsafe extern "C" fn(*mut c_void);

/// The records of a file, and the functions that C calls with them until the file is removed. In C,
/// this is `struct kalloc_seq_source`.
#[repr(C)]
struct Source {
    /// The functions that show the records.
    table: &'static bindings::seq_operations,
    /// The records.
    records: *mut c_void,
    /// Functions for commands; both are present if the file accepts commands.
    write: Option<WriteFn>,
    cancel: Option<CancelFn>,
}

/// The records of a file and their source, in separate memory, where C finds them.
///
/// The owner of a file is initialized in place, but its memory may be freed without a drop. Safe
/// code can put any value into a `MaybeUninit` through the kernel crate's
/// [`Wrapper`](pin_init::Wrapper). The memory that C points to is then leaked, and the file is
/// removed when its module is unloaded.
struct Shown<R> {
    source: Source,
    records: R,
}

// SAFETY: The pointers of the source are to the records, which are `Send`.
unsafe impl<R: Send> Send for Shown<R> {}
// SAFETY: A shared reference gives access only to the records, which are `Sync`.
unsafe impl<R: Sync> Sync for Shown<R> {}

/// A file and its records. Dropping it removes the file.
///
/// # Invariants
///
/// `id`, if present, is that of a file whose source is that of `shown`. Besides this value, only
/// `module_goes` removes the file, after the unload of its module, and [`debugfs`](super::debugfs)
/// with its directory.
pub(crate) struct OwnedFile<R> {
    id: Option<Id>,
    shown: KBox<Shown<R>>,
}

impl<R: SeqOps + 'static> OwnedFile<R> {
    /// Stores `records`, and calls `create` with their source to create the file.
    ///
    /// Returns success without a file if `create` fails with [`ENODEV`]: its file system is missing.
    ///
    /// # Errors
    ///
    /// - [`EAGAIN`] in a context known to be atomic.
    /// - [`ENOMEM`] if there is no memory.
    /// - The errors of [`add`].
    pub(crate) fn new(
        module: &'static ThisModule,
        place: Place,
        name: &CStr,
        records: R,
        commands: Option<(WriteFn, CancelFn)>,
        create: impl Fn(*mut c_void) -> Result<Handle>,
    ) -> Result<Self> {
        if context::known_atomic() {
            return Err(EAGAIN);
        }
        // GFP: The caller selects no flags: creating a file sleeps.
        let mut shown = KBox::<Shown<R>>::new_uninit(GFP_KERNEL)?;
        let slot = shown.as_mut_ptr();
        // SAFETY: The memory is for a `Shown`, whose two fields are initialized before
        // `assume_init`.
        let shown = unsafe {
            let data = &raw mut (*slot).records;
            data.write(records);
            (&raw mut (*slot).source).write(Source {
                table: Callbacks::<R>::TABLE,
                records: data.cast(),
                write: commands.map(|(write, _)| write),
                cancel: commands.map(|(_, cancel)| cancel),
            });
            shown.assume_init()
        };
        let source = ptr::from_ref(&shown.source).cast_mut();
        // The records are in place before the first reader can open the file.
        //
        // SAFETY: The source stays in place until `drop` has removed the file, or is leaked with
        // the file.
        let id = match unsafe { add(module, source, place, name, &|| create(source.cast())) } {
            Ok(id) => Some(id),
            Err(error) if error == ENODEV => None,
            Err(error) => return Err(error),
        };
        // INVARIANT: The file was just created, with that source.
        Ok(OwnedFile { id, shown })
    }
}

impl<R> OwnedFile<R> {
    /// Returns the records.
    pub(crate) fn records(&self) -> &R {
        &self.shown.records
    }
}

impl<R> Drop for OwnedFile<R> {
    fn drop(&mut self) {
        // By the type invariants, this value owns the file. The removal waits for readers inside a
        // callback, and admits no new ones, before the records are dropped.
        if let Some(id) = self.id {
            remove(id);
        }
    }
}

/// The kernel's handle of a file.
pub(crate) enum Handle {
    /// A file in `/proc`.
    Proc(NonNull<bindings::proc_dir_entry>),
    /// A file in debugfs, with a reference to its entry.
    Debug(NonNull<bindings::dentry>),
}

impl Handle {
    /// Removes the file. Waits for its running callbacks, and admits no new ones.
    ///
    /// # Safety
    ///
    /// This must be the handle with which the file was created.
    unsafe fn remove(self) {
        // SAFETY: By the requirement of this function, this is the only handle of the file, and it
        // is consumed. The file in `/proc` therefore still exists, or the reference to the entry in
        // debugfs is owned.
        unsafe {
            match self {
                Handle::Proc(entry) => bindings::kalloc_helper_proc_remove(entry.as_ptr()),
                Handle::Debug(entry) => bindings::kalloc_helper_debugfs_remove(entry.as_ptr()),
            }
        }
    }
}

/// The location of a file.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// In `/proc`.
    Proc,
    /// In the directory of kalloc in debugfs.
    Debug,
}

/// A file. Its name is reserved from before its creation until after its removal.
struct Entry {
    id: Id,
    place: Place,
    name: CString,
    /// The module whose functions the file calls.
    module: *mut bindings::module,
    /// The source from which the file gets the functions.
    source: *const Source,
    state: State,
}

/// The state of a file. Creating and removing a file waits for other threads, so it happens without
/// the lock of the list.
enum State {
    Coming,
    There(Handle),
    Going,
}

// SAFETY: Files and modules are not bound to a thread; the other pointers are only compared.
unsafe impl Send for Entry {}

impl Entry {
    /// Returns true if the file must be removed with `module`: it calls the module's functions, or
    /// its source is in the module's memory.
    fn needs(&self, module: *mut bindings::module) -> bool {
        self.module == module || is_in(self.source as c_ulong, module)
    }
}

/// Returns true if `address` is in the memory that `module` keeps after its initialization.
fn is_in(address: c_ulong, module: *mut bindings::module) -> bool {
    // SAFETY: `module` is NULL, or is loaded, as the callers ensure.
    unsafe { bindings::kalloc_helper_within_module_core(address, module) }
}

impl Files {
    const fn new() -> Self {
        Files {
            entries: KVec::new(),
            next: 0,
        }
    }
}

/// Frees the memory of the list, which is empty.
pub(crate) fn exit() {
    FILES.lock().entries = KVec::new();
}

/// Adds the file that `create` creates to the list, with `source`, whose functions are those of
/// `module`.
///
/// # Safety
///
/// `source` must be valid until the file is removed.
///
/// # Errors
///
/// - [`EINVAL`] if the table is not in `module`, or `name` is not valid for a file.
/// - [`EEXIST`] if the list has a file with this name in this place.
/// - [`ENOMEM`] if there is no memory.
/// - The errors of `create`.
unsafe fn add(
    module: &'static ThisModule,
    source: *const Source,
    place: Place,
    name: &CStr,
    create: &dyn Fn() -> Result<Handle>,
) -> Result<Id> {
    let module = module.as_ptr();
    // SAFETY: `source` is valid until the file is removed, which is not yet created.
    let table = unsafe { (*source).table };
    // The module is the caller's, and is therefore loaded.
    if !is_in(ptr::from_ref(table) as c_ulong, module) {
        return Err(EINVAL);
    }
    if !is_name(name.to_bytes()) {
        return Err(EINVAL);
    }
    let name = CString::try_from(name)?;

    let mut files = FILES.lock();
    let is_it = |file: &Entry| file.place == place && *file.name == *name;
    if files.entries.iter().any(is_it) {
        return Err(EEXIST);
    }
    let id = Id(files.next);
    let entry = Entry {
        id,
        place,
        name,
        module,
        source,
        state: State::Coming,
    };
    // GFP: The caller selects no flags: creating a file sleeps.
    files.entries.push(entry, GFP_KERNEL)?;
    files.next += 1;
    drop(files);

    let created = create();
    let mut files = FILES.lock();
    match created {
        Ok(handle) => {
            // No thread removes an entry in the state `Coming`.
            if let Some(file) = files.entries.iter_mut().find(|file| file.id == id) {
                file.state = State::There(handle);
            }
            Ok(id)
        }
        Err(error) => {
            files.entries.retain(|file| file.id != id);
            Err(error)
        }
    }
}

/// Returns true if C accepts `name` for a file without a warning, and a directory listing and the
/// log show it on one line.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name.len() <= bindings::NAME_MAX as usize
        && !matches!(name, b"." | b"..")
        && !name.contains(&b'/')
        // Numbers are the directories of processes.
        && !name.iter().all(u8::is_ascii_digit)
        && core::str::from_utf8(name).is_ok_and(|name| !name.contains(char::is_control))
}

/// Removes a file.
fn remove(id: Id) {
    remove_all(|entry| entry.id == id, |_| ());
}

/// Removes the leaked files of a module that is unloaded.
pub(crate) fn module_goes(module: *mut bindings::module) {
    remove_all(
        |entry| entry.needs(module),
        |name| pr_warn!("{name}: removed, its owner was forgotten\n"),
    );
}

/// Removes all files for which `which` returns true, and calls `tell` with the name of each. It
/// also waits for the files that other threads create or remove, so no matching file remains on
/// return.
fn remove_all(which: impl Fn(&Entry) -> bool, tell: impl Fn(&CStr)) {
    let mut files = FILES.lock();
    while let Some(entry) = files.entries.iter_mut().find(|entry| which(entry)) {
        let id = entry.id;
        match mem::replace(&mut entry.state, State::Going) {
            State::There(handle) => {
                tell(&entry.name);
                drop(files);
                // SAFETY: `add` has stored this handle with the entry at the creation of the file.
                unsafe { handle.remove() };
                files = FILES.lock();
                files.entries.retain(|entry| entry.id != id);
            }
            other => {
                entry.state = other;
                drop(files);
                // This is rare and short: a reader is inside a record.
                fsleep(Delta::from_millis(1));
                files = FILES.lock();
            }
        }
    }
}
