// SPDX-License-Identifier: GPL-2.0

//! Which module's code the files call.
//!
//! A file in `/proc` or debugfs does not keep the module loaded whose functions it calls: removing it
//! waits for those that are being called, and lets no more in. So it has to be removed before the
//! module's code goes. Owners do that when they are dropped; but an owner may be forgotten, which is
//! safe. Its file is then removed when its module goes, which the module loader tells: none of
//! the module's own code runs any more, and all of it is still there.

use crate::bindings;
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    ffi::c_ulong,
    prelude::*,
    str::CString, //
};

kernel::sync::global_lock! {
    // SAFETY: `init`, which is called before any file is created, initialises it.
    unsafe(uninit) static FILES: Mutex<KVec<Entry>> = KVec::new();
}

/// What the kernel knows a file by.
#[derive(Clone, Copy, PartialEq)]
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
    /// To be called once.
    unsafe fn remove(self) {
        // SAFETY: By the requirement of this function, the file in `/proc` is there still, and the
        // reference to the one in debugfs is ours.
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
    place: Place,
    name: CString,
    module: *mut bindings::module,
    state: State,
}

/// Whether a file is there. Creating and removing one waits for others, so it is done without the list's
/// lock.
#[derive(PartialEq)]
enum State {
    Coming,
    There(Handle),
    Going(Handle),
}

// SAFETY: Files and modules belong to no thread; the pointers are compared.
unsafe impl Send for Entry {}

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
    *FILES.lock() = KVec::new();
}

/// Puts the file that `create` makes on the list. Its functions are those in `table`, which are
/// `module`'s.
///
/// # Errors
///
/// - [`EINVAL`] if `table` is not `module`'s, or `name` cannot be a file's.
/// - [`EEXIST`] if there is such a file on the list.
/// - [`ENOMEM`] if there is no memory, and what `create` returns.
pub(crate) fn add(
    module: &'static ThisModule,
    table: &'static bindings::seq_operations,
    place: Place,
    name: &CStr,
    create: &dyn Fn() -> Result<Handle>,
) -> Result<Handle> {
    let module = module.as_ptr();
    let address = ptr::from_ref(table) as c_ulong;
    // SAFETY: `module` is NULL or the caller's, which exists.
    if !unsafe { bindings::kalloc_helper_within_module_core(address, module) } {
        return Err(EINVAL);
    }
    if !is_name(name.to_bytes()) {
        return Err(EINVAL);
    }
    let entry = Entry {
        place,
        name: CString::try_from(name)?,
        module,
        state: State::Coming,
    };

    let is_it = |file: &Entry| file.place == place && *file.name == *name;
    let mut files = FILES.lock();
    if files.iter().any(is_it) {
        return Err(EEXIST);
    }
    files.push(entry, GFP_KERNEL)?;
    drop(files);

    let created = create();
    let mut files = FILES.lock();
    match created {
        // One, as nobody else takes an entry off that is coming.
        Ok(handle) => files
            .iter_mut()
            .filter(|file| is_it(file))
            .for_each(|file| file.state = State::There(handle)),
        Err(_) => files.retain(|file| !is_it(file)),
    }
    created
}

/// Whether C takes `name` for a file, without a complaint in the log.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name.len() <= bindings::NAME_MAX as usize
        && !matches!(name, b"." | b"..")
        && !name.contains(&b'/')
        // These are processes.
        && !name.iter().all(u8::is_ascii_digit)
}

/// Removes a file.
pub(crate) fn remove(handle: Handle) {
    remove_first(|entry| entry.state == State::There(handle), |_| ());
}

/// Removes what `module` has forgotten.
pub(crate) fn module_goes(module: *mut bindings::module) {
    while remove_first(
        |entry| entry.module == module && matches!(entry.state, State::There(_)),
        |name| pr_warn!("{name}: removed, its owner was forgotten\n"),
    ) {}
}

/// Removes the first file of those that are there and that `which` is true of, having told its name.
/// Returns whether there is one.
fn remove_first(which: impl Fn(&Entry) -> bool, tell: impl Fn(&CStr)) -> bool {
    let mut files = FILES.lock();
    let Some(entry) = files.iter_mut().find(|entry| which(entry)) else {
        return false;
    };
    let State::There(handle) = entry.state else {
        return false;
    };
    tell(&entry.name);
    entry.state = State::Going(handle);
    drop(files);
    // SAFETY: It was there until now; who finds it going leaves it alone.
    unsafe { handle.remove() };
    FILES
        .lock()
        .retain(|entry| entry.state != State::Going(handle));
    true
}
