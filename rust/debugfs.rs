// SPDX-License-Identifier: GPL-2.0

//! `/sys/kernel/debug/kalloc/`, where this module and those that use it have their files.

use crate::{
    bindings,
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
/// dropped; that cannot be while somebody has it open, who keeps this module loaded.
#[pin_data(PinnedDrop)]
pub(crate) struct SeqFile<R: Records> {
    /// NULL without debugfs, or an error that all of its functions take as well.
    entry: *mut bindings::dentry,
    records: R,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: The entry belongs to no thread; the records are `Send`.
unsafe impl<R: Records> Send for SeqFile<R> {}
// SAFETY: A shared reference gives access to nothing; readers share the records, which are `Sync`.
unsafe impl<R: Records> Sync for SeqFile<R> {}

impl<R: Records + 'static> SeqFile<R> {
    /// Creates the file `name`, if there is debugfs.
    ///
    /// # Context
    ///
    /// May sleep.
    pub(crate) fn new(name: &'static CStr, records: R) -> impl PinInit<Self, Error> {
        // SAFETY: The closure initialises all fields, and does not move the slot.
        unsafe {
            pin_init::pin_init_from_closure(move |slot: *mut Self| {
                let data = &raw mut (*slot).records;
                data.write(records);
                (&raw mut (*slot).entry).write(ptr::null_mut());
                let parent = bindings::debugfs_lookup(NAME.as_char_ptr(), ptr::null_mut());
                if let Some(parent) = from_err_ptr(parent).ok().and_then(NonNull::new) {
                    // The records are in place before the first reader can come.
                    (*slot).entry = bindings::kalloc_helper_debugfs_create_seq(
                        name.as_char_ptr(),
                        parent.as_ptr(),
                        data.cast(),
                        Callbacks::<R, Debug>::TABLE,
                    );
                    bindings::dput(parent.as_ptr());
                }
                Ok(())
            })
        }
    }
}

#[pinned_drop]
impl<R: Records> PinnedDrop for SeqFile<R> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Created in `new`, and not removed yet: the directory goes later.
        unsafe { bindings::debugfs_remove(self.entry) };
    }
}
