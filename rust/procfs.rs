// SPDX-License-Identifier: GPL-2.0

//! Files in `/proc` that show a sequence of records.
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

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
    ffi::c_void,
    prelude::*, //
};

/// Files in `/proc`, as [`Keeper`]s of what they show.
struct Proc;

// SAFETY: An entry has its records as its data. `proc_remove` waits until callbacks have returned.
unsafe impl Keeper for Proc {
    unsafe fn find(m: *mut bindings::seq_file) -> *mut c_void {
        // SAFETY: By the requirements of this function.
        unsafe { bindings::kalloc_helper_seq_pde_data(m) }
    }
}

/// A file in `/proc`, read-only for root. It is there until this is dropped.
///
/// # Invariants
///
/// `entry` is a registered proc entry whose data points to `self.records`.
#[pin_data(PinnedDrop)]
pub(crate) struct ProcFile<R: Records> {
    entry: NonNull<bindings::proc_dir_entry>,
    records: R,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: The entry belongs to no thread; the records are `Send`.
unsafe impl<R: Records> Send for ProcFile<R> {}
// SAFETY: A shared reference gives access to nothing; readers share the records, which are `Sync`.
unsafe impl<R: Records> Sync for ProcFile<R> {}

impl<R: Records + 'static> ProcFile<R> {
    /// Creates `/proc/name` with mode 0400.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`] if it cannot be created, also because the name is taken.
    pub(crate) fn new(name: &'static CStr, records: R) -> impl PinInit<Self, Error> {
        // SAFETY: On success the closure initialises all fields, on error none; nothing in it
        // moves the slot.
        unsafe {
            pin_init::pin_init_from_closure(move |slot: *mut Self| {
                let data = &raw mut (*slot).records;
                data.write(records);
                // The records are in place before the first reader can come. `S_IRUSR`: root only.
                let entry = bindings::proc_create_seq_private(
                    name.as_char_ptr(),
                    0o400,
                    ptr::null_mut(),
                    Callbacks::<R, Proc>::TABLE,
                    0,
                    data.cast(),
                );
                match NonNull::new(entry) {
                    Some(entry) => {
                        // INVARIANT: Just registered, with that data.
                        (&raw mut (*slot).entry).write(entry);
                        Ok(())
                    }
                    None => {
                        data.drop_in_place();
                        Err(ENOMEM)
                    }
                }
            })
        }
    }
}

#[pinned_drop]
impl<R: Records> PinnedDrop for ProcFile<R> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants. This waits for readers inside a callback, and lets none
        // in again.
        unsafe { bindings::proc_remove(self.entry.as_ptr()) };
    }
}
