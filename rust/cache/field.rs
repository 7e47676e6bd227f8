// SPDX-License-Identifier: GPL-2.0

//! Fields of objects that user space is given, and gives.
//!
//! A kernel with `CONFIG_HARDENED_USERCOPY` looks at each copy between user space and a slab object,
//! and ends the task if the bytes are not in the cache's *usercopy region*: a wrong length or a wild
//! pointer must not show what lies beside. The default region is the whole object. A cache whose
//! objects have secrets is better made by [`KmemCache::with_usercopy`](super::KmemCache::with_usercopy),
//! with the one field that is for user space; [`Field`] has an example.
//!
//! The field's type has no padding, and every byte of it is initialised while the object is; and
//! what is copied in is a valid value, whatever it is. Both are traits of the type
//! ([`AsBytes`], [`FromBytes`]). Copies of a field that is not in the region fail before the kernel
//! looks at them. Those that are made without a [`Field`], of a reference into the object, are what
//! the region is there to stop.

use super::{
    object::{
        Holder,
        Owned, //
    },
    Slab, //
};
use crate::site::Tag;
use core::ops::Range;
use kernel::{
    prelude::*,
    transmute::{
        AsBytes,
        FromBytes, //
    },
    uaccess::{
        UserSliceReader,
        UserSliceWriter, //
    }, //
};

/// A field of `T`, of type `F`. Made by [`field!`](crate::field).
///
/// # Examples
///
/// ```
/// use kalloc::{
///     cache::{Field, Options},
///     field, KmemCache,
/// };
/// use kernel::uaccess::{UserSliceReader, UserSliceWriter};
///
/// struct Session {
///     secret: [u8; 32],
///     name: [u8; 64],
/// }
///
/// kalloc::sites! {
///     Sessions: cache(Session), "doc_field";
/// }
///
/// const NAME: Field<Session, [u8; 64]> = field!(Session, name);
/// const SECRET: Field<Session, [u8; 32]> = field!(Session, secret);
///
/// /// What a driver's `ioctl` does to rename a session.
/// fn rename(
///     session: &mut kalloc::cache::Object<'_, Sessions>,
///     reader: &mut UserSliceReader,
///     writer: &mut UserSliceWriter,
/// ) -> Result {
///     session.copy_to(NAME, writer)?;
///     session.copy_from(NAME, reader)
/// }
///
/// let cache = KmemCache::<Sessions>::with_usercopy(Options::new(), NAME)?;
/// let session = Session {
///     secret: [7; 32],
///     name: [0; 64],
/// };
/// let mut session = cache.alloc(session, GFP_KERNEL)?;
/// # use kernel::uaccess::{UserPtr, UserSlice};
/// # let (mut reader, mut writer) = UserSlice::new(UserPtr::from_addr(0), 0).reader_writer();
/// # assert_eq!(rename(&mut session, &mut reader, &mut writer), Err(EFAULT));
/// # let mut reader = UserSlice::new(UserPtr::from_addr(0), 32).reader();
/// assert_eq!(session.copy_from(SECRET, &mut reader), Err(EINVAL));
/// # Ok::<(), Error>(())
/// ```
pub struct Field<T, F> {
    offset: usize,
    get: fn(&T) -> &F,
    get_mut: fn(&mut T) -> &mut F,
}

impl<T, F> Clone for Field<T, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, F> Copy for Field<T, F> {}

impl<T, F> Field<T, F> {
    /// Called by [`field!`](crate::field).
    #[doc(hidden)]
    pub const fn new(offset: usize, get: fn(&T) -> &F, get_mut: fn(&mut T) -> &mut F) -> Self {
        assert!(size_of::<F>() > 0, "there is nothing in the field to copy");
        assert!(size_of::<F>() <= size_of::<T>() && offset <= size_of::<T>() - size_of::<F>());
        Field {
            offset,
            get,
            get_mut,
        }
    }

    /// Where the field is in an object that is no larger than objects of caches are.
    pub(super) fn range(&self) -> Range<u32> {
        // CAST: The field ends where the object does, at the latest.
        self.offset as u32..(self.offset + size_of::<F>()) as u32
    }

    /// # Errors
    ///
    /// [`EINVAL`] if the field is not within `region`.
    fn check(&self, region: &Range<u32>) -> Result {
        let Range { start, end } = self.range();
        let within = region.start <= start && end <= region.end;
        within.then_some(()).ok_or(EINVAL)
    }
}

/// Names a field, for [`copy_to`](crate::cache::Owned::copy_to) and
/// [`with_usercopy`](crate::KmemCache::with_usercopy): `field!(Type, name)`, or a field of a field,
/// `field!(Type, outer.inner)`.
///
/// # Examples
///
/// ```
/// use kalloc::{cache::Field, field};
///
/// struct Name {
///     text: [u8; 64],
/// }
///
/// struct Session {
///     name: Name,
///     secret: u64,
/// }
///
/// /// What of a session user space may be given.
/// const TEXT: Field<Session, [u8; 64]> = field!(Session, name.text);
/// # let _ = TEXT;
/// # assert_eq!(core::mem::offset_of!(Session, name.text) % 8, 0);
/// ```
#[macro_export]
macro_rules! field {
    ($type:ty, $($field:tt).+) => {
        $crate::cache::Field::<$type, _>::new(
            ::core::mem::offset_of!($type, $($field).+),
            |object: &$type| &object.$($field).+,
            |object: &mut $type| &mut object.$($field).+,
        )
    };
}

impl<S: Tag<Family = Slab, Object: Sized>, C: Holder<S>> Owned<S, C> {
    /// Copies a field to user space.
    ///
    /// # Context
    ///
    /// Process context; may sleep.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if the field is not in the cache's usercopy region.
    /// - [`EFAULT`] if user space has no such memory, or there is no room for the field.
    pub fn copy_to<F: AsBytes>(
        &self,
        field: Field<S::Object, F>,
        writer: &mut UserSliceWriter,
    ) -> Result {
        field.check(&self.cache().usercopy)?;
        writer.write_slice((field.get)(self).as_bytes())
    }

    /// Copies a field from user space. If that fails half-way, the field is a mixture.
    ///
    /// # Context
    ///
    /// Process context; may sleep.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if the field is not in the cache's usercopy region.
    /// - [`EFAULT`] if user space has no such memory, or too little of it.
    pub fn copy_from<F: AsBytes + FromBytes>(
        &mut self,
        field: Field<S::Object, F>,
        reader: &mut UserSliceReader,
    ) -> Result {
        field.check(&self.cache().usercopy)?;
        reader.read_slice((field.get_mut)(self).as_bytes_mut())
    }
}
