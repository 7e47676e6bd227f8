// SPDX-License-Identifier: GPL-2.0-only

//! Errors of callbacks, as passed to C and to user space.
//!
//! An [`Error`] holds any number from 1 to 4095. C code acts on some of them: it repeats the call,
//! assumes that the request is in progress, or restarts the system call. [`Failure`] holds only
//! numbers that C passes on to user space. Each callback of this crate returns one.
//!
//! | a callback's error | [`Failure`] |
//! |---|---|
//! | one of the list below | the same |
//! | `EAGAIN`: seq_file repeats the call without end | `EBUSY` |
//! | `ERESTARTSYS`, `ERESTARTNOINTR`, `ERESTARTNOHAND`, `ERESTART_RESTARTBLOCK` | `ERESTARTSYS` if a signal is pending, else `EINTR` |
//! | any other: `EIOCBQUEUED`, `ENOIOCTLCMD`, `EPROBE_DEFER` … | `EIO` |
//!
//! The list: `EPERM`, `ENOENT`, `ESRCH`, `EINTR`, `EIO`, `ENXIO`, `E2BIG`, `EBADF`, `ENOMEM`,
//! `EACCES`, `EFAULT`, `EBUSY`, `EEXIST`, `ENODEV`, `EINVAL`, `ENOTTY`, `EFBIG`, `ENOSPC`, `EROFS`,
//! `EPIPE`, `EDOM`, `ERANGE`, `ENAMETOOLONG`, `ENODATA`, `EPROTO`, `EBADMSG`, `EOVERFLOW`,
//! `EILSEQ`, `EMSGSIZE`, `EOPNOTSUPP`, `ENOBUFS`, `ETIMEDOUT`, `EALREADY`, `ESTALE`, `EREMOTEIO`,
//! `EDQUOT`, `ENOMEDIUM`, `ECANCELED`.
//!
//! The page about the C boundary lists each place where a callback's result reaches C.
//!
//! C header: [`include/linux/errno.h`](srctree/include/linux/errno.h)

use crate::sys::bindings;
use kernel::{
    ffi::c_int,
    fmt,
    prelude::*, //
};

/// Error number of a callback that C passes on to user space.
///
/// # Examples
///
/// ```
/// use kalloc::sys::failure::Failure;
/// use kernel::error::code::EIOCBQUEUED;
///
/// assert_eq!(Failure::from(ENODEV), ENODEV.into());
/// // seq_file repeats a call that returns EAGAIN.
/// assert_eq!(Failure::from(EAGAIN), EBUSY.into());
/// // The VFS assumes that a request with this result is in progress.
/// assert_eq!(Failure::from(EIOCBQUEUED), EIO.into());
/// ```
///
/// A driver's own callbacks can use the same mapping:
///
/// ```
/// use kalloc::sys::failure::Failure;
///
/// fn work() -> Result<usize> {
///     Err(EAGAIN)
/// }
///
/// /// A device's `read_iter`.
/// fn read_iter() -> Result<usize> {
///     Ok(work().map_err(Failure::from)?)
/// }
///
/// assert_eq!(read_iter(), Err(EBUSY));
/// ```
///
/// # Invariants
///
/// The number is one of `NUMBERS`, or `ERESTARTSYS`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Failure(u32);

/// Numbers that C passes on. The module's documentation lists them as well.
const NUMBERS: &[u32] = &[
    bindings::EPERM,
    bindings::ENOENT,
    bindings::ESRCH,
    bindings::EINTR,
    bindings::EIO,
    bindings::ENXIO,
    bindings::E2BIG,
    bindings::EBADF,
    bindings::ENOMEM,
    bindings::EACCES,
    bindings::EFAULT,
    bindings::EBUSY,
    bindings::EEXIST,
    bindings::ENODEV,
    bindings::EINVAL,
    bindings::ENOTTY,
    bindings::EFBIG,
    bindings::ENOSPC,
    bindings::EROFS,
    bindings::EPIPE,
    bindings::EDOM,
    bindings::ERANGE,
    bindings::ENAMETOOLONG,
    bindings::ENODATA,
    bindings::EPROTO,
    bindings::EBADMSG,
    bindings::EOVERFLOW,
    bindings::EILSEQ,
    bindings::EMSGSIZE,
    bindings::EOPNOTSUPP,
    bindings::ENOBUFS,
    bindings::ETIMEDOUT,
    bindings::EALREADY,
    bindings::ESTALE,
    bindings::EREMOTEIO,
    bindings::EDQUOT,
    bindings::ENOMEDIUM,
    bindings::ECANCELED,
];

impl Failure {
    /// Returns the negative error number, for C.
    ///
    /// The return to user space handles the pending signal for `ERESTARTSYS`. Without a pending
    /// signal, the number itself would reach the program, so it becomes `EINTR`.
    pub(crate) fn to_errno(self) -> c_int {
        let number = match self.0 {
            bindings::ERESTARTSYS if !kernel::current!().signal_pending() => bindings::EINTR,
            number => number,
        };
        // CAST: By the type invariants, the number is below 4096.
        -(number as c_int)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // INVARIANT: Each arm yields a number of `NUMBERS`, or `ERESTARTSYS`.
        Failure(match error.to_errno().unsigned_abs() {
            number if NUMBERS.contains(&number) => number,
            bindings::EAGAIN => bindings::EBUSY,
            bindings::ERESTARTSYS
            | bindings::ERESTARTNOINTR
            | bindings::ERESTARTNOHAND
            | bindings::ERESTART_RESTARTBLOCK => bindings::ERESTARTSYS,
            _ => bindings::EIO,
        })
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Error::from_errno(failure.to_errno())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Error::from(*self).fmt(f)
    }
}
