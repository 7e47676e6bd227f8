// SPDX-License-Identifier: GPL-2.0

//! Which module's code the files call.
//!
//! A file in `/proc` or debugfs does not keep the module loaded whose functions it calls: removing it
//! waits for those that are being called, and lets no more in. So it has to be removed before the
//! module's code goes. Owners do that when they are dropped; but an owner may be forgotten, which is
//! safe. Its file is then removed when its module goes, which the module loader tells: none of
//! the module's own code runs any more, and all of it is still there.

use crate::sys::{
    bindings,
    context, //
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

kernel::sync::global_lock! {
    // SAFETY: `init`, which is called before any file is created, initialises it.
    unsafe(uninit) static FILES: Mutex<Files> = Files::new();
}

/// The files that there are.
struct Files {
    entries: KVec<Entry>,
    /// The next one's number.
    next: u64,
}

/// A file's number. No other file ever has the same, while what the kernel knows a file by is soon
/// another's.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Id(u64);

/// Does what a write, which has been copied, asks for.
pub(crate) type WriteFn = unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> isize;
/// Ends a write early.
pub(crate) type CancelFn = unsafe extern "C" fn(*mut c_void);

/// The records of a file, and the functions that C calls with them until the file is removed;
/// `struct kalloc_seq_source` there.
#[repr(C)]
pub(crate) struct Source {
    /// Shows the records.
    pub(crate) table: &'static bindings::seq_operations,
    /// The records.
    pub(crate) records: *mut c_void,
    /// Both are there if the file takes commands.
    pub(crate) write: Option<WriteFn>,
    pub(crate) cancel: Option<CancelFn>,
}

/// What a file shows, where C finds it, in memory of its own.
///
/// The owner of a file is initialized in place, but its memory may be freed without a drop: in safe code, the
/// kernel crate puts anything into a `MaybeUninit` ([`Wrapper`](pin_init::Wrapper)). What C points to is leaked
/// then, and the file removed with its module, as if the owner had been forgotten.
pub(crate) struct Shown<R> {
    source: Source,
    records: R,
}

// SAFETY: The pointers of the source are to the records, which are `Send`.
unsafe impl<R: Send> Send for Shown<R> {}
// SAFETY: A shared reference gives access to the records, which are `Sync`.
unsafe impl<R: Sync> Sync for Shown<R> {}

impl<R> Shown<R> {
    /// Puts `records` there, and makes their source by `source`.
    ///
    /// # Errors
    ///
    /// - [`EAGAIN`] if the caller may not sleep.
    /// - [`ENOMEM`] if there is no memory.
    pub(crate) fn new(
        records: R,
        source: impl FnOnce(*mut c_void) -> Source,
    ) -> Result<KBox<Self>> {
        if crate::sys::context::known_atomic() {
            return Err(EAGAIN);
        }
        // GFP: There is no caller's choice: creating a file sleeps.
        let mut shown = KBox::<Self>::new_uninit(GFP_KERNEL)?;
        let slot = shown.as_mut_ptr();
        // SAFETY: The memory is for a `Self`, whose two fields are initialized.
        unsafe {
            let data = &raw mut (*slot).records;
            data.write(records);
            (&raw mut (*slot).source).write(source(data.cast()));
            Ok(shown.assume_init())
        }
    }

    /// Where C finds it all.
    pub(crate) fn source(&self) -> *mut Source {
        ptr::from_ref(&self.source).cast_mut()
    }

    /// What is shown.
    pub(crate) fn records(&self) -> &R {
        &self.records
    }
}

/// What the kernel knows a file by.
pub(crate) enum Handle {
    /// A file in `/proc`.
    Proc(NonNull<bindings::proc_dir_entry>),
    /// A file in debugfs, and a reference to it.
    Debug(NonNull<bindings::dentry>),
}

impl Handle {
    /// Removes the file. Waits for its callbacks, and lets none in again.
    ///
    /// # Safety
    ///
    /// Must be the handle that the file was created with.
    unsafe fn remove(self) {
        // SAFETY: By the requirement of this function, and as there is one handle, which is gone now,
        // the file in `/proc` is there still, and the reference to the one in debugfs is ours.
        unsafe {
            match self {
                Handle::Proc(entry) => bindings::proc_remove(entry.as_ptr()),
                Handle::Debug(entry) => bindings::kalloc_helper_debugfs_remove(entry.as_ptr()),
            }
        }
    }
}

/// Where a file is to be.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// In `/proc`.
    Proc,
    /// In our folder of debugfs.
    Debug,
}

/// A file. Its name is taken from before it is there until after it has gone.
struct Entry {
    id: Id,
    place: Place,
    name: CString,
    /// Whose functions it calls.
    module: *mut bindings::module,
    /// Where it finds the functions.
    source: *const Source,
    state: State,
}

/// Whether a file is there. Creating and removing one waits for others, so it is done without the list's
/// lock.
enum State {
    Coming,
    There(Handle),
    Going,
}

// SAFETY: Files and modules belong to no thread; the other pointers are compared.
unsafe impl Send for Entry {}

impl Entry {
    /// Whether it has to go with `module`: whose functions it calls, or in whose memory it finds them.
    fn needs(&self, module: *mut bindings::module) -> bool {
        self.module == module || is_in(self.source as c_ulong, module)
    }
}

/// Whether `address` is in `module`, in what stays when it has been initialised.
fn is_in(address: c_ulong, module: *mut bindings::module) -> bool {
    // SAFETY: `module` is NULL, or the caller knows that it is there.
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

/// Prepares the list.
///
/// # Safety
///
/// Must be called once, before anything else in this file.
pub(crate) unsafe fn init() {
    // SAFETY: By the requirement of this function.
    unsafe { FILES.init() };
}

/// Gives the list's memory back. No file is left.
pub(crate) fn exit() {
    FILES.lock().entries = KVec::new();
}

/// Puts the file that `create` makes on the list, with `source`, whose functions are `module`'s.
///
/// # Safety
///
/// `source` must be valid until the file is removed.
///
/// # Errors
///
/// - [`EAGAIN`] if the caller may not sleep.
/// - [`EINVAL`] if the table is not `module`'s, or `name` cannot be a file's.
/// - [`EEXIST`] if there is such a file on the list.
/// - [`ENOMEM`] if there is no memory, and what `create` returns.
pub(crate) unsafe fn add(
    module: &'static ThisModule,
    source: *const Source,
    place: Place,
    name: &CStr,
    create: &dyn Fn() -> Result<Handle>,
) -> Result<Id> {
    if context::known_atomic() {
        return Err(EAGAIN);
    }
    let module = module.as_ptr();
    // SAFETY: `source` is valid until the file, which is not created yet, is removed.
    let table = unsafe { (*source).table };
    // The module is the caller's, and there.
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
    // GFP: There is no caller's choice: creating a file sleeps.
    files.entries.push(entry, GFP_KERNEL)?;
    files.next += 1;
    drop(files);

    let created = create();
    let mut files = FILES.lock();
    match created {
        Ok(handle) => {
            // Nobody takes an entry off that is coming.
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

/// Returns whether C accepts `name` for a file without a warning, and a listing or the log shows it on one
/// line.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name.len() <= bindings::NAME_MAX as usize
        && !matches!(name, b"." | b"..")
        && !name.contains(&b'/')
        // These are processes.
        && !name.iter().all(u8::is_ascii_digit)
        && core::str::from_utf8(name).is_ok_and(|name| !name.contains(char::is_control))
}

/// Removes a file.
pub(crate) fn remove(id: Id) {
    remove_all(|entry| entry.id == id, |_| ());
}

/// Removes what `module` has forgotten.
pub(crate) fn module_goes(module: *mut bindings::module) {
    remove_all(
        |entry| entry.needs(module),
        |name| pr_warn!("{name}: removed, its owner was forgotten\n"),
    );
}

/// Removes all files that `which` is true of, having told their names. When it returns there are none, also
/// of those that somebody else was creating or removing.
fn remove_all(which: impl Fn(&Entry) -> bool, tell: impl Fn(&CStr)) {
    let mut files = FILES.lock();
    while let Some(entry) = files.entries.iter_mut().find(|entry| which(entry)) {
        let id = entry.id;
        match mem::replace(&mut entry.state, State::Going) {
            State::There(handle) => {
                tell(&entry.name);
                drop(files);
                // SAFETY: `add` has put it there, with the entry.
                unsafe { handle.remove() };
                files = FILES.lock();
                files.entries.retain(|entry| entry.id != id);
            }
            other => {
                entry.state = other;
                drop(files);
                // Rare, and soon over: a reader is in the middle of a record.
                fsleep(Delta::from_millis(1));
                files = FILES.lock();
            }
        }
    }
}
