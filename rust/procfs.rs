// SPDX-License-Identifier: GPL-2.0

//! Files in `/proc` that show a sequence of records.
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h),
//! [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)
//!
//! Reference: <https://docs.kernel.org/filesystems/seq_file.html>

use crate::bindings;
use core::{
    marker::PhantomPinned,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
    seq_file::SeqFile, //
};

/// What a file shows: records, each with a position.
///
/// A reader may stop anywhere, for as long as it likes, and go on, go back or close: no call holds
/// on to anything for the next one. Records may come and go between calls.
pub(crate) trait Records: Send + Sync {
    /// Returns the position of the first record at or after `pos`, if there is one.
    ///
    /// A file is read from position 0.
    fn seek(&self, pos: u64) -> Option<u64>;

    /// Writes the record at `pos`; nothing, if it is gone.
    fn show(&self, pos: u64, out: &SeqFile);
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
    const OPS: bindings::seq_operations = bindings::seq_operations {
        start: Some(Self::start),
        next: Some(Self::next),
        stop: Some(Self::stop),
        show: Some(Self::show),
    };
    const OPS_REF: &'static bindings::seq_operations = &Self::OPS;

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
                    Self::OPS_REF,
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

    /// Returns the records of the file behind `m`.
    ///
    /// # Safety
    ///
    /// `m` must be a seq file of an entry created by `Self::new`, in one of its callbacks.
    unsafe fn records<'a>(m: *mut bindings::seq_file) -> &'a R {
        // SAFETY: `proc_remove` waits until callbacks have returned, so that by the type
        // invariants the entry's data is valid during this one.
        unsafe { &*bindings::kalloc_helper_seq_pde_data(m).cast::<R>() }
    }

    /// Moves `*pos` to the next record there is, and returns `pos` itself as the iterator, so that
    /// `show` finds the position in it.
    ///
    /// # Safety
    ///
    /// As for [`Self::records`]; `pos` must be valid.
    unsafe fn at(m: *mut bindings::seq_file, pos: *mut bindings::loff_t) -> *mut c_void {
        // SAFETY: By the requirements of this function.
        let (records, from) = unsafe { (Self::records(m), *pos) };
        match records.seek(from.unsigned_abs()) {
            // OVERFLOW: Positions grow by one for a record; 2^63 of them there never are.
            Some(found) => {
                // SAFETY: By the requirements of this function.
                unsafe { *pos = found as bindings::loff_t };
                pos.cast()
            }
            None => ptr::null_mut(),
        }
    }

    /// The position to start at.
    ///
    /// # Safety
    ///
    /// For seq_file only, as for [`Self::at`].
    unsafe extern "C" fn start(
        m: *mut bindings::seq_file,
        pos: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: By the requirements of this function.
        unsafe { Self::at(m, pos) }
    }

    /// The position after `pos`.
    ///
    /// # Safety
    ///
    /// For seq_file only, as for [`Self::at`].
    unsafe extern "C" fn next(
        m: *mut bindings::seq_file,
        _: *mut c_void,
        pos: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: By the requirements of this function. The position must grow even at the end.
        unsafe {
            *pos += 1;
            Self::at(m, pos)
        }
    }

    /// Nothing is held between calls.
    ///
    /// # Safety
    ///
    /// None; it is unsafe because seq_file's callbacks are.
    unsafe extern "C" fn stop(_: *mut bindings::seq_file, _: *mut c_void) {}

    /// Shows the record at `pos`.
    ///
    /// # Safety
    ///
    /// For seq_file only, as for [`Self::at`], with what that returned.
    unsafe extern "C" fn show(m: *mut bindings::seq_file, pos: *mut c_void) -> c_int {
        // SAFETY: By the requirements of this function; seq_file serves one reader at a time.
        unsafe {
            let pos: bindings::loff_t = *pos.cast();
            Self::records(m).show(pos.unsigned_abs(), SeqFile::from_raw(m));
        }
        0
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
