// SPDX-License-Identifier: GPL-2.0-only

//! A helper for the `read()` of a device.

use kernel::{
    iov::IovIterDest,
    prelude::*, //
};

/// Copies the part of `bytes` from the position on that fits into `room`.
///
/// # Errors
///
/// [`EFAULT`] if the room is not writable memory of the process.
pub(crate) fn read(pos: &mut i64, room: &mut IovIterDest<'_>, bytes: &[u8]) -> Result<usize> {
    let asked = !room.is_empty();
    let read = room.simple_read_from_buffer(pos, bytes)?;
    // For the caller, 0 means the end of the file. It must not be returned if the copy failed.
    if read == 0 && asked && usize::try_from(*pos).is_ok_and(|pos| pos < bytes.len()) {
        return Err(EFAULT);
    }
    Ok(read)
}
