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
    /// A file in debugfs.
    Debug(NonNull<bindings::dentry>),
}

impl Handle {
    /// Whether the file is there.
    fn is_in(self, place: Place) -> bool {
        matches!(
            (self, place),
            (Handle::Proc(_), Place::Proc) | (Handle::Debug(_), Place::Debug)
        )
    }

    /// Removes the file. Waits for its callbacks, and lets none in again.
    ///
    /// # Safety
    ///
    /// The file must be there still.
    unsafe fn remove(self) {
        // SAFETY: By the requirement of this function.
        unsafe {
            match self {
                Handle::Proc(entry) => bindings::proc_remove(entry.as_ptr()),
                Handle::Debug(entry) => bindings::kalloc_helper_debugfs_remove(entry.as_ptr()),
            }
        }
    }
}

/// Where a file is to be.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// In `/proc`.
    Proc,
    /// In our folder of debugfs.
    Debug,
}

/// A file.
struct Entry {
    handle: Handle,
    name: CString,
    module: *mut bindings::module,
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
    let name = CString::try_from(name)?;

    let mut files = FILES.lock();
    if files
        .iter()
        .any(|file| file.handle.is_in(place) && *file.name == *name)
    {
        return Err(EEXIST);
    }
    files.reserve(1, GFP_KERNEL)?;
    let handle = create()?;
    // There is room.
    files.push(
        Entry {
            handle,
            name,
            module,
        },
        GFP_KERNEL,
    )?;
    Ok(handle)
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
    if take(|entry| entry.handle == handle).is_some() {
        // SAFETY: It was on the list until now.
        unsafe { handle.remove() };
    }
}

/// Removes what `module` has forgotten.
pub(crate) fn module_goes(module: *mut bindings::module) {
    while let Some(entry) = take(|entry| entry.module == module) {
        pr_warn!("{}: removed, its owner was forgotten\n", &*entry.name);
        // SAFETY: It was on the list until now.
        unsafe { entry.handle.remove() };
    }
}

/// Takes a file off the list, which nobody waits for callbacks with.
fn take(which: impl Fn(&Entry) -> bool) -> Option<Entry> {
    let mut files = FILES.lock();
    let at = files.iter().position(which)?;
    files.remove(at).ok()
}
