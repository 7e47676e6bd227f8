// SPDX-License-Identifier: GPL-2.0

//! Sequences of records that a file shows.
//!
//! What a driver has many of is [`Records`]: a file in [`/proc`](crate::fs::procfs) or
//! [debugfs](crate::fs::debugfs) shows it a line for each, and asks for no more than its reader takes.
//!
//! ```no_run
//! use kalloc::fs::seq_file::{Output, Records};
//! use kernel::{
//!     rbtree::RBTree,
//!     sync::{Arc, Mutex},
//! };
//!
//! /// The names of sessions, by an id that grows.
//! struct Listing(Arc<Mutex<RBTree<u64, CString>>>);
//! # use kernel::str::CString;
//!
//! impl Records for Listing {
//!     fn seek(&self, pos: u64) -> Option<u64> {
//!         self.0.lock().keys().copied().find(|&id| id >= pos)
//!     }
//!
//!     fn show(&self, pos: u64, out: &mut Output) {
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
//! A reader remembers nothing but a number: that of the record it wants next. So it can stop for an
//! hour, seek back, or begin again, while records come and go. It sees each record that is there all
//! the time, and none twice, if a record keeps its position, and none is given to another one
//! behind a reader's back: ids that grow are best, places in a table will do.
//!
//! # Signals
//!
//! A pending signal ends a reader's call before the next record. The call returns the text so far, or, if
//! there is none, restarts after the signal's handler, as `signal(7)` describes for `SA_RESTART`. So a
//! signal ends a reader also where the records never end, or are all empty, or the reader asks for an
//! offset that is far away. A call that reads on shows at least one record, however many signals there are;
//! one that asks for an offset begins anew.
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

/// What a file shows: records, each with a position.
///
/// A reader may stop anywhere, for as long as it likes, and go on, go back or close: no call holds
/// on to anything for the next one. Records may come and go between calls, and any number of readers
/// may call at a time.
///
/// # Context
///
/// Process context; may sleep. The file's owner waits for these calls when it is dropped.
///
/// # Examples
///
/// ```
/// use kalloc::fs::seq_file::{Output, Records};
///
/// /// The squares of the numbers below one.
/// struct Squares(u64);
///
/// impl Records for Squares {
///     fn seek(&self, pos: u64) -> Option<u64> {
///         (pos < self.0).then_some(pos)
///     }
///
///     fn show(&self, pos: u64, out: &mut Output) {
///         out.print(fmt!("{pos} {}\n", pos * pos));
///     }
/// }
///
/// assert_eq!((Squares(3).seek(2), Squares(3).seek(3)), (Some(2), None));
/// ```
pub trait Records: Send + Sync {
    /// Returns the position of the first record at or after `pos`, if there is one.
    ///
    /// A file is read from position 0. Positions are below `i64::MAX`; what is beyond, or before
    /// `pos`, ends the file.
    fn seek(&self, pos: u64) -> Option<u64>;

    /// Writes the record at `pos`; nothing, if it is gone.
    fn show(&self, pos: u64, out: &mut Output);
}

/// Largest record, in bytes. A reader of a larger one gets [`EFBIG`].
///
/// seq_file doubles its buffer until a record fits. Without this limit a record of unlimited length would
/// take all memory that the kernel can give to one buffer.
///
/// # Examples
///
/// ```
/// use kalloc::fs::seq_file::MAX_RECORD;
///
/// assert!(MAX_RECORD >= 8_000_000);
/// ```
pub const MAX_RECORD: usize = MAX_BUFFER - 1;

/// Largest buffer, of which seq_file leaves one byte unused.
const MAX_BUFFER: usize = 8 << 20;

/// What a record is written to. What does not fit is not lost: the record is asked for again, with
/// more room, up to [`MAX_RECORD`] bytes.
///
/// # Examples
///
/// ```
/// use kalloc::fs::seq_file::{Output, Records};
///
/// struct Session {
///     name: &'static [u8],
///     state: &'static str,
///     bytes: u64,
/// }
///
/// struct Listing(&'static [Session]);
///
/// impl Records for Listing {
///     fn seek(&self, pos: u64) -> Option<u64> {
///         (pos < self.0.len() as u64).then_some(pos)
///     }
///
///     fn show(&self, pos: u64, out: &mut Output) {
///         if let Some(session) = self.0.get(pos as usize) {
///             out.left(8, session.state);
///             out.column(12, session.bytes);
///             out.write(b" ");
///             // A user has chosen it.
///             out.word(session.name);
///             out.print(fmt!(" #{pos}\n"));
///         }
///     }
/// }
///
/// assert_eq!(Listing(&[]).seek(0), None);
/// ```
///
/// # Invariants
///
/// `file` is a seq file that calls [`Records::show`] now.
pub struct Output {
    file: *mut bindings::seq_file,
    failure: Option<Failure>,
}

impl Output {
    /// Writes `text`.
    pub fn write(&mut self, text: &[u8]) {
        self.has_room_for(text);
    }

    /// Writes `text`, and returns whether there was room. If not, seq_file knows itself, and asks for the
    /// record again.
    fn has_room_for(&mut self, text: &[u8]) -> bool {
        // SAFETY: By the invariants.
        unsafe { bindings::seq_write(self.file, text.as_ptr().cast(), text.len()) == 0 }
    }

    /// Gives the record up, whatever was written of it. The reader's call fails with `failure`, unless it has
    /// records from before: it gets these, and asks for this one again. A record that did not fit is asked
    /// for again first, with more room.
    ///
    /// What takes long and was interrupted fails with [`ERESTARTSYS`]: the reader asks again once its signal
    /// is handled, if it is to.
    ///
    /// # Errors
    ///
    /// The reader gets the error that is given, unless C code would act on it: see [`failure`](crate::sys::failure)
    /// for the list. `EAGAIN` becomes `EBUSY`: seq_file repeats a call that returns `EAGAIN`, without end, and
    /// no signal stops it.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::fs::seq_file::{Output, Records};
    ///
    /// /// Shows what has been measured, if there is anything yet.
    /// struct Measured(Option<u64>);
    ///
    /// impl Records for Measured {
    ///     fn seek(&self, pos: u64) -> Option<u64> {
    ///         (pos == 0).then_some(0)
    ///     }
    ///
    ///     fn show(&self, _pos: u64, out: &mut Output) {
    ///         match self.0 {
    ///             Some(value) => out.print(fmt!("{value}\n")),
    ///             None => out.fail(EBUSY),
    ///         }
    ///     }
    /// }
    ///
    /// assert_eq!(Measured(None).seek(0), Some(0));
    /// ```
    pub fn fail(&mut self, failure: impl Into<Failure>) {
        self.failure = Some(failure.into());
    }

    /// Returns what seq_file gets for the record: 0, or an error number, negative.
    fn result(&self) -> c_int {
        // SAFETY: By the invariants, the file is in a call of ours, which holds its lock.
        let (used, size) = unsafe { ((*self.file).count, (*self.file).size) };
        match self.failure {
            // It did not fit. seq_file doubles the buffer and asks again.
            _ if used == size && size < MAX_BUFFER => 0,
            Some(failure) => failure.to_errno(),
            None if used == size => EFBIG.to_errno(),
            None => 0,
        }
    }

    /// Writes what [`fmt!`](kernel::prelude::fmt) makes.
    pub fn print(&mut self, text: fmt::Arguments<'_>) {
        // An output takes what it is given; what a value cannot tell of itself is left out.
        let _ = fmt::Write::write_fmt(self, text);
    }

    /// Writes `text` so that it is one word, whatever is in it: `\xNN` for each byte that is a blank,
    /// a backslash or none of ASCII's graphic characters.
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

/// The process that has opened the file.
impl Output {
    /// Returns whether the kernel's addresses are to be hidden from the process that opened the file, as
    /// [`address_space::hidden`](crate::mm::address_space::hidden) does of the one that runs.
    ///
    /// It was judged when it opened the file. The text may be for others: an open file can be handed on,
    /// with text that one has asked for and another is given.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::{
    ///     fs::seq_file::{Output, Records},
    ///     mm::address_space::{self, VMALLOC},
    /// };
    ///
    /// struct Start;
    ///
    /// impl Records for Start {
    ///     fn seek(&self, pos: u64) -> Option<u64> {
    ///         (pos == 0).then_some(0)
    ///     }
    ///
    ///     fn show(&self, _pos: u64, out: &mut Output) {
    ///         match address_space::area(VMALLOC) {
    ///             Some(area) if !out.hides_addresses() => out.print(fmt!("{:x}\n", area.start())),
    ///             _ => out.write(b"hidden\n"),
    ///         }
    ///     }
    /// }
    ///
    /// assert_eq!(Start.seek(0), Some(0));
    /// ```
    pub fn hides_addresses(&self) -> bool {
        // SAFETY: By the invariants.
        unsafe { bindings::kalloc_helper_seq_hides_addresses(self.file) }
    }
}

/// Columns of numbers. The general machinery for formatting takes several times as long for a number
/// as it takes to find it out, and a table may have ten thousand rows.
impl Output {
    /// How much is written at once: the largest number, which has 20 digits, in most columns that there are.
    const ROOM: usize = 24;

    /// Writes a blank and `number`, behind as many blanks as make it `width` wide, if it is not
    /// wider.
    pub fn column(&mut self, width: usize, mut number: u64) {
        // The blank is one of them.
        self.blanks(width.saturating_sub(Self::ROOM - 1));
        let mut text = [b' '; Self::ROOM];
        let mut start = Self::ROOM;
        for digit in text.iter_mut().rev() {
            // CAST: A digit.
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

    /// Writes `text` in a column of `width`, on the left.
    pub fn left(&mut self, width: usize, text: &str) {
        self.write(text.as_bytes());
        self.blanks(width.saturating_sub(text.len()));
    }

    /// Writes blanks, as far as there is room.
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

impl fmt::Write for Output {
    /// Writes `text`.
    ///
    /// # Errors
    ///
    /// [`fmt::Error`] if there is no room. The record is asked for again then, so the caller can ignore it.
    /// It ends padding, which may be of any width.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.has_room_for(text.as_bytes()) {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

/// seq_file's callbacks for records `R`.
pub(crate) struct Callbacks<R>(PhantomData<R>);

impl<R: Records + 'static> Callbacks<R> {
    /// The table, for files that are created with a pointer to an `R`.
    pub(crate) const TABLE: &'static bindings::seq_operations = &bindings::seq_operations {
        start: Some(Self::start),
        next: Some(Self::next),
        stop: Some(Self::stop),
        show: Some(Self::show),
    };

    /// Returns the records of the file behind `m`.
    ///
    /// # Safety
    ///
    /// `m` must be the seq file of a file that was created with this table, in one of its callbacks.
    unsafe fn records<'a>(m: *mut bindings::seq_file) -> &'a R {
        // SAFETY: The file was created with a pointer to an `R`, and cannot be removed during a callback.
        unsafe { &*bindings::kalloc_helper_seq_records(m).cast::<R>() }
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
        let found = records.seek(from.unsigned_abs());
        match found.and_then(|found| bindings::loff_t::try_from(found).ok()) {
            // A reader does not go back by itself, or it would never come to an end; and there must be
            // a position behind the last record.
            Some(found) if found >= from && found < bindings::loff_t::MAX => {
                // SAFETY: By the requirements of this function.
                unsafe { *pos = found };
                pos.cast()
            }
            _ => ptr::null_mut(),
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

    /// Moves to the position after `pos`, unless a signal is pending.
    ///
    /// seq_file calls this between two records, in a loop that nothing else ends if the records are empty,
    /// or if the reader skips them. It does not check before the first record: a reader with many signals
    /// would never see it.
    ///
    /// # Safety
    ///
    /// For seq_file only, as for [`Self::at`].
    unsafe extern "C" fn next(
        m: *mut bindings::seq_file,
        _: *mut c_void,
        pos: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: seq_file's callbacks may sleep.
        unsafe { bindings::kalloc_helper_cond_resched() };
        // SAFETY: By the requirements of this function. The position must grow even at the end.
        unsafe {
            // OVERFLOW: It is that of a record, see `at`.
            *pos += 1;
        }
        if kernel::current!().signal_pending() {
            // SAFETY: Makes a pointer of a number. seq_file returns it to user space, or drops it if there is
            // text to return.
            // CAST: An error number is below 4096.
            return unsafe { bindings::ERR_PTR(-(bindings::ERESTARTSYS as c_long)) };
        }
        // SAFETY: By the requirements of this function.
        unsafe { Self::at(m, pos) }
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
        // INVARIANT: The output is gone when this returns, and seq_file serves one reader at a time.
        let mut out = Output {
            file: m,
            failure: None,
        };
        // SAFETY: By the requirements of this function.
        unsafe {
            let pos: bindings::loff_t = *pos.cast();
            Self::records(m).show(pos.unsigned_abs(), &mut out);
        }
        out.result()
    }
}
