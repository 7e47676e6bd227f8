// SPDX-License-Identifier: GPL-2.0

//! What `read()` of a device copies.

use kernel::{
    iov::IovIterDest,
    prelude::*, //
};

/// Copies of `bytes` what is there from the position on, as far as there is room.
///
/// # Errors
///
/// [`EFAULT`] if the room is not memory of the process.
pub(crate) fn read(pos: &mut i64, room: &mut IovIterDest<'_>, bytes: &[u8]) -> Result<usize> {
    let asked = !room.is_empty();
    let read = room.simple_read_from_buffer(pos, bytes)?;
    // Nothing more is the end, for the caller; that nothing can be copied is not.
    if read == 0 && asked && usize::try_from(*pos).is_ok_and(|pos| pos < bytes.len()) {
        return Err(EFAULT);
    }
    Ok(read)
}
