// SPDX-License-Identifier: GPL-2.0-only

//! Sequences of records that a file shows (`struct seq_file`).
//!
//! A driver implements [`SeqOps`]. A file in [`/proc`](crate::fs::procfs) or
//! [debugfs](crate::fs::debugfs) shows one line per record, and requests only the records that its
//! reader reads.
//!
//! ```no_run
//! use kalloc::fs::seq_file::{SeqFile, SeqOps};
//! use kernel::{
//!     rbtree::RBTree,
//!     sync::{Arc, Mutex},
//! };
//!
//! /// The names of sessions, by an id that grows.
//! struct Listing(Arc<Mutex<RBTree<u64, CString>>>);
//! # use kernel::str::CString;
//!
//! impl SeqOps for Listing {
//!     fn start(&self, pos: u64) -> Option<u64> {
//!         self.0.lock().keys().copied().find(|&id| id >= pos)
//!     }
//!
//!     fn show(&self, pos: u64, out: &mut SeqFile) {
//!         if let Some(name) = self.0.lock().get(&pos) {
//!             out.left(20, name.to_str().unwrap_or("?"));
//!             out.print(fmt!("{pos}\n"));
//!         }
//!     }
//! }
//! ```
//!
//! # Positions
//!
//! A reader stores only a number: the position of the next record. It may therefore pause for an
//! hour, seek back, or start again while records are added and removed. A reader sees each record
//! that exists all the time, and none twice, under two conditions. A record keeps its position, and
//! no other record gets that position while a reader is active. Growing ids are best; indices of a
//! table are sufficient.
//!
//! # Signals
//!
//! A pending signal ends a reader's call before the next record. The call returns the text so far.
//! Without any text, it restarts after the signal's handler, as `signal(7)` describes for
//! `SA_RESTART`. A signal therefore ends a reader even if the records never end, or are all empty,
//! or the reader requests a distant offset. A sequential read shows at least one record per call,
//! however many signals arrive; a read at another offset starts again.
//!
//! C header: [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)
//!
//! Reference: <https://docs.kernel.org/filesystems/seq_file.html>

use crate::sys::{
    bindings,
    failure::Failure, //
};
use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::{
    ffi::{
        c_int,
        c_long,
        c_void, //
    },
    fmt,
    prelude::*, //
};

/// The functions that read a file: records, each with a position.
///
/// A reader may pause at any record, continue, seek back or close the file: no call keeps a lock or
/// a reference for the next one. Records may be added and removed between calls. Any number of
/// readers may call concurrently.
///
/// # Context
///
/// Process context; may sleep. Dropping the file's owner waits for these calls.
///
/// # Examples
///
/// ```
/// use kalloc::fs::seq_file::{SeqFile, SeqOps};
///
/// /// The squares of the numbers below a limit.
/// struct Squares(u64);
///
/// impl SeqOps for Squares {
///     fn start(&self, pos: u64) -> Option<u64> {
///         (pos < self.0).then_some(pos)
///     }
///
///     fn show(&self, pos: u64, out: &mut SeqFile) {
///         out.print(fmt!("{pos} {}\n", pos * pos));
///     }
/// }
///
/// assert_eq!((Squares(3).start(2), Squares(3).start(3)), (Some(2), None));
/// ```
pub trait SeqOps: Send + Sync {
    /// Returns the position of the first record at or after `pos`, or `None`.
    ///
    /// A file is read from position 0. Positions must be below `i64::MAX`; a larger position, or
    /// one before `pos`, ends the file.
    fn start(&self, pos: u64) -> Option<u64>;

    /// Writes the record at `pos`, or nothing if it no longer exists.
    fn show(&self, pos: u64, out: &mut SeqFile);
}

/// The size limit of a record in bytes. The reader of a larger record gets [`EFBIG`].
///
/// seq_file doubles its buffer until a record fits. Without this limit, a record of unlimited
/// length would take all memory that the kernel can give to one buffer.
///
/// # Examples
///
/// ```
/// use kalloc::fs::seq_file::MAX_RECORD;
///
/// assert!(MAX_RECORD >= 8_000_000);
/// ```
pub const MAX_RECORD: usize = MAX_BUFFER - 1;

/// The size limit of the buffer, of which seq_file leaves one byte unused.
const MAX_BUFFER: usize = 8 << 20;

/// The output of a record, in the buffer of a `struct seq_file`.
///
/// Text that does not fit is not lost: seq_file requests the record again with a larger buffer, up
/// to [`MAX_RECORD`] bytes.
///
/// # Examples
///
/// ```
/// use kalloc::fs::seq_file::{SeqFile, SeqOps};
///
/// struct Session {
///     name: &'static [u8],
///     state: &'static str,
///     bytes: u64,
/// }
///
/// struct Listing(&'static [Session]);
///
/// impl SeqOps for Listing {
///     fn start(&self, pos: u64) -> Option<u64> {
///         (pos < self.0.len() as u64).then_some(pos)
///     }
///
///     fn show(&self, pos: u64, out: &mut SeqFile) {
///         if let Some(session) = self.0.get(pos as usize) {
///             out.left(8, session.state);
///             out.column(12, session.bytes);
///             out.write(b" ");
///             // The user has chosen the name.
///             out.word(session.name);
///             out.print(fmt!(" #{pos}\n"));
///         }
///     }
/// }
///
/// assert_eq!(Listing(&[]).start(0), None);
/// ```
///
/// # Invariants
///
/// `file` is a seq file that is calling [`SeqOps::show`].
pub struct SeqFile {
    file: *mut bindings::seq_file,
    failure: Option<Failure>,
}

impl SeqFile {
    /// Writes `text`.
    pub fn write(&mut self, text: &[u8]) {
        self.has_room_for(text);
    }

    /// Writes `text`, and returns true if there was room. Otherwise seq_file requests the record
    /// again.
    fn has_room_for(&mut self, text: &[u8]) -> bool {
        // SAFETY: By the type invariants, the file is calling `show`, and its buffer may be
        // written.
        unsafe { bindings::seq_write(self.file, text.as_ptr().cast(), text.len()) == 0 }
    }

    /// Discards the record, including the text already written.
    ///
    /// The reader's call fails with `failure`, unless it has earlier records: it returns these, and
    /// requests this one again. A record that did not fit is first requested again with a larger
    /// buffer.
    ///
    /// An interrupted long computation should fail with [`ERESTARTSYS`]: the reader's call restarts
    /// after the signal's handler, where the handler allows it.
    ///
    /// # Errors
    ///
    /// The reader gets the given error, unless C code would act on it: see
    /// [`failure`](crate::sys::failure) for the list. `EAGAIN` becomes `EBUSY`: seq_file repeats a
    /// call that returns `EAGAIN` without end, and no signal stops it.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::fs::seq_file::{SeqFile, SeqOps};
    ///
    /// /// Shows a measured value, if there is one.
    /// struct Measured(Option<u64>);
    ///
    /// impl SeqOps for Measured {
    ///     fn start(&self, pos: u64) -> Option<u64> {
    ///         (pos == 0).then_some(0)
    ///     }
    ///
    ///     fn show(&self, _pos: u64, out: &mut SeqFile) {
    ///         match self.0 {
    ///             Some(value) => out.print(fmt!("{value}\n")),
    ///             None => out.fail(EBUSY),
    ///         }
    ///     }
    /// }
    ///
    /// assert_eq!(Measured(None).start(0), Some(0));
    /// ```
    pub fn fail(&mut self, failure: impl Into<Failure>) {
        self.failure = Some(failure.into());
    }

    /// Returns the record's result for seq_file: 0, or a negative error number.
    fn result(&self) -> c_int {
        // SAFETY: By the type invariants, the file is calling `show`, and holds its lock during the
        // call.
        let (used, size) = unsafe { ((*self.file).count, (*self.file).size) };
        match self.failure {
            // The record did not fit. seq_file doubles the buffer and requests it again.
            _ if used == size && size < MAX_BUFFER => 0,
            Some(failure) => failure.to_errno(),
            None if used == size => EFBIG.to_errno(),
            None => 0,
        }
    }

    /// Writes formatted text from [`fmt!`](kernel::prelude::fmt).
    pub fn print(&mut self, text: fmt::Arguments<'_>) {
        // Writing fails only if the buffer is full, and seq_file then requests the record again. A
        // value whose formatting fails is left out.
        let _ = fmt::Write::write_fmt(self, text);
    }

    /// Writes `text` as one word.
    ///
    /// Each blank, backslash or byte that is no graphic ASCII character is written as `\xNN`.
    pub fn word(&mut self, text: &[u8]) {
        for &byte in text {
            if byte.is_ascii_graphic() && byte != b'\\' {
                self.write(&[byte]);
            } else {
                self.print(fmt!("\\x{byte:02x}"));
            }
        }
    }
}

/// Properties of the process that opened the file.
impl SeqFile {
    /// Returns true if kernel addresses must be hidden from the process that opened the file, by
    /// the rule of [`address_space::hidden`](crate::mm::address_space::hidden).
    ///
    /// The rule was applied when the process opened the file. The text may be for another process,
    /// because an open file can be passed on.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::{
    ///     fs::seq_file::{SeqFile, SeqOps},
    ///     mm::address_space::{self, VMALLOC},
    /// };
    ///
    /// struct Start;
    ///
    /// impl SeqOps for Start {
    ///     fn start(&self, pos: u64) -> Option<u64> {
    ///         (pos == 0).then_some(0)
    ///     }
    ///
    ///     fn show(&self, _pos: u64, out: &mut SeqFile) {
    ///         match address_space::area(VMALLOC) {
    ///             Some(area) if !out.hides_addresses() => out.print(fmt!("{:x}\n", area.start())),
    ///             _ => out.write(b"hidden\n"),
    ///         }
    ///     }
    /// }
    ///
    /// assert_eq!(Start.start(0), Some(0));
    /// ```
    pub fn hides_addresses(&self) -> bool {
        // SAFETY: By the type invariants, the file is calling `show`, so its private data are
        // valid.
        unsafe { bindings::kalloc_helper_seq_hides_addresses(self.file) }
    }
}

/// Columns of numbers.
///
/// The general formatting machinery takes several times as long for a number as reading the
/// counters does, and a table may have ten thousand rows.
impl SeqFile {
    /// The size of one write: it holds the largest number, of 20 digits, in most columns.
    const ROOM: usize = 24;

    /// Writes a blank and `number`, right-aligned in a column that is `width` wide. A longer number
    /// makes the column wider.
    pub fn column(&mut self, width: usize, mut number: u64) {
        // The blank before the number is part of the text below.
        self.blanks(width.saturating_sub(Self::ROOM - 1));
        let mut text = [b' '; Self::ROOM];
        let mut start = Self::ROOM;
        for digit in text.iter_mut().rev() {
            // CAST: The value is a digit.
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            start -= 1;
            if number == 0 {
                break;
            }
        }
        let blank = (start - 1).min((Self::ROOM - 1).saturating_sub(width));
        self.write(text.get(blank..).unwrap_or_default());
    }

    /// Writes `text`, left-aligned in a column that is `width` wide.
    pub fn left(&mut self, width: usize, text: &str) {
        self.write(text.as_bytes());
        self.blanks(width.saturating_sub(text.len()));
    }

    /// Writes blanks until the buffer is full.
    fn blanks(&mut self, mut count: usize) {
        while count > 0 {
            let some = count.min(Self::ROOM);
            if !self.has_room_for([b' '; Self::ROOM].get(..some).unwrap_or_default()) {
                break;
            }
            count -= some;
        }
    }
}

impl fmt::Write for SeqFile {
    /// Writes `text`.
    ///
    /// # Errors
    ///
    /// [`fmt::Error`] if there is no room. seq_file then requests the record again, so the caller
    /// can ignore the error. The error ends the padding, which may be of any width.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.has_room_for(text.as_bytes()) {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

/// The callbacks of seq_file (`struct seq_operations`) for records `R`.
pub(crate) struct Callbacks<R>(PhantomData<R>);

impl<R: SeqOps + 'static> Callbacks<R> {
    /// The table of callbacks, for files created with a pointer to an `R`.
    pub(crate) const TABLE: &'static bindings::seq_operations = &bindings::seq_operations {
        start: Some(Self::start),
        next: Some(Self::next),
        stop: Some(Self::stop),
        show: Some(Self::show),
    };

    /// Returns the records of the file that `m` reads.
    ///
    /// # Safety
    ///
    /// - `m` must be the seq file of a file that was created with this table.
    /// - The caller must be one of the callbacks of `m`.
    unsafe fn records<'a>(m: *mut bindings::seq_file) -> &'a R {
        // SAFETY: The file was created with a pointer to an `R`, and cannot be removed during a
        // callback, by the requirements of this function.
        unsafe { &*bindings::kalloc_helper_seq_records(m).cast::<R>() }
    }

    /// Moves `*pos` to the next existing record, and returns `pos` as the iterator, from which
    /// `show` reads the position.
    ///
    /// # Safety
    ///
    /// - The requirements of [`Self::records`] apply.
    /// - `pos` must be valid for reads and writes.
    unsafe fn at(m: *mut bindings::seq_file, pos: *mut bindings::loff_t) -> *mut c_void {
        // SAFETY: `m` is in a callback, and `pos` is valid, by the requirements of this function.
        let (records, from) = unsafe { (Self::records(m), *pos) };
        let found = records.start(from.unsigned_abs());
        match found.and_then(|found| bindings::loff_t::try_from(found).ok()) {
            // A smaller position would let a reader loop forever. The file also needs a position
            // after the last record.
            Some(found) if found >= from && found < bindings::loff_t::MAX => {
                // SAFETY: `pos` is valid for writes by the requirements of this function.
                unsafe { *pos = found };
                pos.cast()
            }
            _ => ptr::null_mut(),
        }
    }

    /// Moves to the first record at or after `pos`.
    ///
    /// # Safety
    ///
    /// Only seq_file may call this. The requirements of [`Self::at`] apply.
    unsafe extern "C" fn start(
        m: *mut bindings::seq_file,
        pos: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: The requirements of `at` hold by those of this function.
        unsafe { Self::at(m, pos) }
    }

    /// Moves to the record after `pos`, unless a signal is pending.
    ///
    /// seq_file calls this between two records, in a loop that has no other end if the records are
    /// empty, or the reader skips them. It does not check for signals before the first record: a
    /// reader that receives many signals would never get it.
    ///
    /// # Safety
    ///
    /// Only seq_file may call this. The requirements of [`Self::at`] apply.
    unsafe extern "C" fn next(
        m: *mut bindings::seq_file,
        _: *mut c_void,
        pos: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: The caller is in process context, where seq_file's callbacks may sleep.
        unsafe { bindings::kalloc_helper_cond_resched() };
        // SAFETY: `pos` is valid for writes by the requirements of this function. The position must
        // grow even at the end.
        unsafe {
            // OVERFLOW: `at` has limited the position to less than `loff_t::MAX`.
            *pos += 1;
        }
        if kernel::current!().signal_pending() {
            // SAFETY: `ERR_PTR` only converts a number to a pointer. seq_file returns the error to
            // user space, or discards it if there is text to return.
            // CAST: An error number is below 4096.
            return unsafe { bindings::ERR_PTR(-(bindings::ERESTARTSYS as c_long)) };
        }
        // SAFETY: The requirements of `at` hold by those of this function.
        unsafe { Self::at(m, pos) }
    }

    /// Does nothing: no call holds resources for the next one.
    ///
    /// # Safety
    ///
    /// There are no requirements; the type of seq_file's callback is unsafe.
    unsafe extern "C" fn stop(_: *mut bindings::seq_file, _: *mut c_void) {}

    /// Shows the record at `pos`.
    ///
    /// # Safety
    ///
    /// Only seq_file may call this, with the result of [`Self::at`]. The requirements of
    /// [`Self::at`] apply.
    unsafe extern "C" fn show(m: *mut bindings::seq_file, pos: *mut c_void) -> c_int {
        // INVARIANT: seq_file is calling `show`, one reader at a time, and the output does not
        // outlive this call.
        let mut out = SeqFile {
            file: m,
            failure: None,
        };
        // SAFETY: `pos` is the valid pointer that `at` returned, and `m` is in a callback, by the
        // requirements of this function.
        unsafe {
            let pos: bindings::loff_t = *pos.cast();
            Self::records(m).show(pos.unsigned_abs(), &mut out);
        }
        out.result()
    }
}
