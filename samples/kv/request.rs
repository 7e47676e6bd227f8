// SPDX-License-Identifier: GPL-2.0-only

//! Requests of programs: the kernel's side of `kalloc_kv.h`.
//!
//! This file checks all data from a program, and reads it only once, because the program may change
//! its memory at any time.

use super::store::{
    Key,
    Mode, //
};
use kernel::{
    fs::file::{
        flags,
        File, //
    },
    ioctl,
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice,
        UserSliceReader,
        UserSliceWriter, //
    }, //
};

/// The type of `struct kv_request`, for its size.
type Raw = [u64; 4];

/// The command `KV_SET`.
pub(crate) const SET: u32 = ioctl::_IOW::<Raw>(b'k' as u32, 0xa0);
/// The command `KV_GET`.
pub(crate) const GET: u32 = ioctl::_IOW::<Raw>(b'k' as u32, 0xa1);
/// The command `KV_DELETE`.
pub(crate) const DELETE: u32 = ioctl::_IOW::<Raw>(b'k' as u32, 0xa2);
/// The command `KV_OPEN`.
pub(crate) const OPEN: u32 = ioctl::_IOW::<Raw>(b'k' as u32, 0xa3);

/// The flag `KV_CREATE`.
const CREATE: u32 = 1;
/// The flag `KV_REPLACE`.
const REPLACE: u32 = 2;

/// A request of a program.
pub(crate) struct Request {
    key: UserSlice,
    value: (UserPtr, usize),
    flags: u32,
}

impl Request {
    /// Reads a request from the address argument of `ioctl()`.
    pub(crate) fn read(address: usize) -> Result<Self> {
        let mut raw = UserSlice::new(UserPtr::from_addr(address), size_of::<Raw>()).reader();
        let (key, value) = (raw.read::<u64>()?, raw.read::<u64>()?);
        let (key_len, value_len) = (raw.read::<u32>()?, raw.read::<u32>()?);
        let (flags, reserved) = (raw.read::<u32>()?, raw.read::<u32>()?);
        if reserved != 0 {
            return Err(EINVAL);
        }
        // CAST: Addresses have 64 bits.
        let at = |address: u64| UserPtr::from_addr(address as usize);
        Ok(Request {
            key: UserSlice::new(at(key), key_len as usize),
            value: (at(value), value_len as usize),
            flags,
        })
    }

    /// Returns the key, and checks that the flags, which only `KV_SET` has, are 0.
    pub(crate) fn into_key(self) -> Result<Key> {
        if self.flags != 0 {
            return Err(EINVAL);
        }
        Key::read(self.key)
    }

    /// Returns the key, and the buffer for its value.
    pub(crate) fn into_room(self) -> Result<(Key, UserSliceWriter)> {
        let (start, len) = self.value;
        Ok((self.into_key()?, UserSlice::new(start, len).writer()))
    }

    /// Returns the key, its value, and the mode that the flags select.
    pub(crate) fn into_value(self) -> Result<(Key, UserSliceReader, Mode)> {
        let mode = match self.flags {
            0 => Mode::Any,
            CREATE => Mode::Create,
            REPLACE => Mode::Replace,
            _ => return Err(EINVAL),
        };
        let (start, len) = self.value;
        Ok((
            Key::read(self.key)?,
            UserSlice::new(start, len).reader(),
            mode,
        ))
    }
}

/// Checks that `file` was opened for reading, or for writing if `write` is true. `ioctl()` itself
/// does not check the mode.
pub(crate) fn check_access(file: &File, write: bool) -> Result {
    let wanted = if write {
        flags::O_WRONLY
    } else {
        flags::O_RDONLY
    };
    let opened = file.flags() & flags::O_ACCMODE;
    if opened == flags::O_RDWR || opened == wanted {
        Ok(())
    } else {
        Err(EBADF)
    }
}
