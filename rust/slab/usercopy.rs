// SPDX-License-Identifier: GPL-2.0-only

//! Fields of objects that may be copied to and from user space.
//!
//! A kernel with `CONFIG_HARDENED_USERCOPY` checks each copy between user space and a slab object.
//! It kills the task if the bytes are outside the cache's *usercopy region*. A wrong length or a
//! wild pointer therefore does not expose adjacent memory. The default region is the whole object.
//! A cache whose objects contain secrets should be created by
//! [`KmemCache::with_usercopy`](super::KmemCache::with_usercopy), with the one field that is for
//! user space; [`Field`] has an example.
//!
//! The field's type has no padding, so that all its bytes are initialized with the object
//! ([`AsBytes`]). Any bytes that are copied in are a valid value ([`FromBytes`]). Each copy
//! compares the address of the field with the region of its object, and returns an error instead of
//! a killed task. The region protects against copies that do not use a [`Field`], but a reference
//! into the object.

use crate::slab::{
    object::{
        Holder,
        Owned, //
    }, //
    SlabSite,
};
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

/// A field of `T`, of type `F`, made by [`field!`](crate::field).
///
/// Soundness does not depend on the offset matching the reference that `get` returns. The offset
/// only chooses the usercopy region of a new cache; copies check the reference itself.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     field,
///     slab::{Field, Options},
///     KmemCache,
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
/// /// Renames a session, like a driver's `ioctl`.
/// fn rename(
///     session: &mut kalloc::slab::Object<'_, Sessions>,
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
    /// Creates a field; called by [`field!`](crate::field).
    #[doc(hidden)]
    pub const fn new(offset: usize, get: fn(&T) -> &F, get_mut: fn(&mut T) -> &mut F) -> Self {
        const { assert!(size_of::<F>() > 0, "a usercopy field cannot be empty") };
        Field {
            offset,
            get,
            get_mut,
        }
    }

    /// Returns the range of the field's bytes in an object, by its offset.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if the range is not inside a `T`.
    pub(super) fn range(&self) -> Result<Range<u32>> {
        let end = self.offset.checked_add(size_of::<F>());
        let end = end.filter(|end| *end <= size_of::<T>()).ok_or(EINVAL)?;
        Ok(u32::try_from(self.offset)?..u32::try_from(end)?)
    }
}

/// Checks that `field`, the result of a caller's function, is inside `region` of `object`.
///
/// # Errors
///
/// [`EINVAL`] if the field is outside the region.
fn check<T, F>(object: *const T, field: *const F, region: &Range<u32>) -> Result {
    // A field below the object has a huge offset.
    let offset = field.addr().wrapping_sub(object.addr());
    let end = offset.checked_add(size_of::<F>()).ok_or(EINVAL)?;
    // CAST: `usize` has 64 bits.
    let [start, limit] = [region.start as usize, region.end as usize];
    let within = start <= offset && end <= limit;
    within.then_some(()).ok_or(EINVAL)
}

/// Names a field for [`copy_to`](crate::slab::Owned::copy_to) and
/// [`with_usercopy`](crate::KmemCache::with_usercopy): `field!(Type, name)`, or a nested field,
/// `field!(Type, outer.inner)`.
///
/// # Examples
///
/// ```
/// use kalloc::{field, slab::Field};
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
/// /// The part of a session that user space may read.
/// const TEXT: Field<Session, [u8; 64]> = field!(Session, name.text);
/// # let _ = TEXT;
/// # assert_eq!(core::mem::offset_of!(Session, name.text) % 8, 0);
/// ```
#[macro_export]
macro_rules! field {
    ($type:ty, $($field:tt).+) => {
        $crate::slab::Field::<$type, _>::new(
            ::core::mem::offset_of!($type, $($field).+),
            |object: &$type| &object.$($field).+,
            |object: &mut $type| &mut object.$($field).+,
        )
    };
}

impl<S: SlabSite, C: Holder<S>> Owned<S, C> {
    /// Copies a field to user space.
    ///
    /// # Context
    ///
    /// Process context; may sleep.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if the field is outside the cache's usercopy region of this object.
    /// - [`EFAULT`] if the user memory is not writable, or the writer has no room for the field.
    pub fn copy_to<F: AsBytes>(
        &self,
        field: Field<S::Object, F>,
        writer: &mut UserSliceWriter,
    ) -> Result {
        let from = (field.get)(self);
        check(&raw const **self, from, &self.cache().usercopy)?;
        writer.write_slice(from.as_bytes())
    }

    /// Copies a field from user space. If the copy fails half-way, the field has some of the new
    /// bytes.
    ///
    /// # Context
    ///
    /// Process context; may sleep.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if the field is outside the cache's usercopy region of this object.
    /// - [`EFAULT`] if the user memory is not readable, or shorter than the field.
    pub fn copy_from<F: AsBytes + FromBytes>(
        &mut self,
        field: Field<S::Object, F>,
        reader: &mut UserSliceReader,
    ) -> Result {
        let object = &raw const **self;
        let region = self.cache().usercopy.clone();
        let to = (field.get_mut)(self);
        check(object, to, &region)?;
        reader.read_slice(to.as_bytes_mut())
    }
}
