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
//! ([`AsBytes`], [`FromBytes`]). Each copy compares the address of the field with the region of the
//! object that it copies: it returns an error where the kernel would end the task. Copies that are
//! made without a [`Field`], of a reference into the object, are what the region is there to stop.

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

/// A field of `T`, of type `F`. Made by [`field!`](crate::field).
///
/// Nothing relies on the offset being that of the reference which the field's function returns. It
/// only chooses the usercopy region of a new cache; copies look at the reference itself.
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
/// /// What a driver's `ioctl` does to rename a session.
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
    /// Called by [`field!`](crate::field).
    #[doc(hidden)]
    pub const fn new(offset: usize, get: fn(&T) -> &F, get_mut: fn(&mut T) -> &mut F) -> Self {
        const { assert!(size_of::<F>() > 0, "there is nothing in the field to copy") };
        Field {
            offset,
            get,
            get_mut,
        }
    }

    /// Returns the bytes of an object that the field takes, by its offset.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if they are not within a `T`.
    pub(super) fn range(&self) -> Result<Range<u32>> {
        let end = self.offset.checked_add(size_of::<F>());
        let end = end.filter(|end| *end <= size_of::<T>()).ok_or(EINVAL)?;
        Ok(u32::try_from(self.offset)?..u32::try_from(end)?)
    }
}

/// Checks that `field`, which a caller's function returned, is within `region` of `object`.
///
/// # Errors
///
/// [`EINVAL`] if it is not.
fn check<T, F>(object: *const T, field: *const F, region: &Range<u32>) -> Result {
    // A field below the object has a huge offset.
    let offset = field.addr().wrapping_sub(object.addr());
    let end = offset.checked_add(size_of::<F>()).ok_or(EINVAL)?;
    // CAST: `usize` has 64 bits.
    let [start, limit] = [region.start as usize, region.end as usize];
    let within = start <= offset && end <= limit;
    within.then_some(()).ok_or(EINVAL)
}

/// Names a field, for [`copy_to`](crate::slab::Owned::copy_to) and
/// [`with_usercopy`](crate::KmemCache::with_usercopy): `field!(Type, name)`, or a field of a field,
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
/// /// What of a session user space may be given.
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
    /// - [`EINVAL`] if the field is not in the cache's usercopy region of this object.
    /// - [`EFAULT`] if user space has no such memory, or there is no room for the field.
    pub fn copy_to<F: AsBytes>(
        &self,
        field: Field<S::Object, F>,
        writer: &mut UserSliceWriter,
    ) -> Result {
        let from = (field.get)(self);
        check(&raw const **self, from, &self.cache().usercopy)?;
        writer.write_slice(from.as_bytes())
    }

    /// Copies a field from user space. If that fails half-way, the field is a mixture.
    ///
    /// # Context
    ///
    /// Process context; may sleep.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if the field is not in the cache's usercopy region of this object.
    /// - [`EFAULT`] if user space has no such memory, or too little of it.
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
