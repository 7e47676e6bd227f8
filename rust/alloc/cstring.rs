// SPDX-License-Identifier: GPL-2.0-only

//! C strings in counted kmalloc memory.
//!
//! | C | here |
//! |---|---|
//! | `kasprintf` | [`kasprintf!`](crate::kasprintf), [`CString::from_fmt`] |
//! | `kstrdup` | [`CString::from_c_str`] |
//! | `kmemdup_nul` | [`CString::from_bytes`] |
//!
//! C header: [`include/linux/string.h`](srctree/include/linux/string.h)

use crate::alloc::{
    arc::KmallocSite, //
    kmalloc::KVec,
};
use core::{
    borrow::Borrow,
    ops::Deref, //
};
use kernel::{
    alloc::{
        AllocError,
        Flags, //
    },
    fmt::{
        self,
        Write, //
    },
    prelude::*, //
};

/// A C string in kmalloc memory, counted at site `S`.
///
/// Its block has exactly the bytes of the string with its NUL.
///
/// # Examples
///
/// ```
/// use kalloc::{CString, Tag};
///
/// kalloc::sites! {
///     Names: kmalloc([u8]), "doc_cstring";
/// }
///
/// let name = CString::<Names>::try_from_fmt(fmt!("port-{}", 7))?;
/// assert_eq!(&*name, c"port-7");
/// assert_eq!(Names::site().totals().live_bytes, 7);
/// let copy = CString::<Names>::from_c_str(&name, GFP_KERNEL)?;
/// assert_eq!(copy.to_bytes(), b"port-7");
/// let number = CString::<Names>::from_fmt(fmt!("{}", 8), GFP_KERNEL)?;
/// assert_eq!(number.to_bytes(), b"8");
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The last byte is NUL, and no other byte is.
pub struct CString<S: KmallocSite> {
    bytes: KVec<u8, S>,
}

impl<S: KmallocSite> CString<S> {
    /// Formats a string with `GFP_KERNEL`, like the kernel crate's
    /// [`CString`](kernel::str::CString::try_from_fmt).
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Errors
    ///
    /// The errors of [`from_fmt`](Self::from_fmt).
    pub fn try_from_fmt(args: fmt::Arguments<'_>) -> Result<Self> {
        // GFP: The kernel crate's function of this name has no flags, and uses these.
        Self::from_fmt(args, GFP_KERNEL)
    }

    /// Formats a string (`kasprintf()`).
    ///
    /// The values are formatted twice: once for the length.
    ///
    /// # Context
    ///
    /// May sleep, if `flags` allow it.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if the text contains a NUL, a value fails to be formatted, or its text becomes
    ///   longer between both passes.
    /// - [`ENOMEM`] if the allocation fails.
    pub fn from_fmt(args: fmt::Arguments<'_>, flags: Flags) -> Result<Self> {
        let mut length = Length(0);
        length.write_fmt(args).map_err(|_| EINVAL)?;
        let size = length.0.checked_add(1).ok_or(EINVAL)?;
        let mut bytes = KVec::with_capacity(size, flags)?;
        let mut within = Within {
            bytes: &mut bytes,
            flags,
        };
        within.write_fmt(args).map_err(|_| EINVAL)?;
        Self::terminated(bytes)
    }

    /// Copies a C string (`kstrdup()`).
    ///
    /// # Context
    ///
    /// May sleep, if `flags` allow it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if the allocation fails.
    pub fn from_c_str(text: &CStr, flags: Flags) -> Result<Self, AllocError> {
        let mut bytes = KVec::new();
        bytes.extend_from_slice(text.to_bytes_with_nul(), flags)?;
        // INVARIANT: The bytes are those of a C string.
        Ok(CString { bytes })
    }

    /// Copies bytes and adds a NUL (`kmemdup_nul()`).
    ///
    /// # Context
    ///
    /// May sleep, if `flags` allow it.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if there is a NUL among the bytes.
    /// - [`ENOMEM`] if the allocation fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use kalloc::CString;
    ///
    /// kalloc::sites! {
    ///     Names: kmalloc([u8]), "doc_cstring_bytes";
    /// }
    ///
    /// let name = CString::<Names>::from_bytes(b"port", GFP_KERNEL)?;
    /// assert_eq!(name.to_bytes_with_nul(), b"port\0");
    /// assert!(CString::<Names>::from_bytes(b"a\0b", GFP_KERNEL).is_err());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn from_bytes(text: &[u8], flags: Flags) -> Result<Self> {
        let size = text.len().checked_add(1).ok_or(ENOMEM)?;
        let mut bytes = KVec::with_capacity(size, flags)?;
        bytes.extend_from_slice(text, flags)?;
        Self::terminated(bytes)
    }

    /// Adds the NUL, for which `bytes` has room.
    fn terminated(mut bytes: KVec<u8, S>) -> Result<Self> {
        if bytes.contains(&0) {
            return Err(EINVAL);
        }
        bytes.push_within_capacity(0).map_err(|_| EINVAL)?;
        // INVARIANT: No byte was NUL, and the last one is now.
        Ok(CString { bytes })
    }
}

impl<S: KmallocSite> Deref for CString<S> {
    type Target = CStr;

    fn deref(&self) -> &CStr {
        // SAFETY: By the type invariants, the last byte is the only NUL.
        unsafe { CStr::from_bytes_with_nul_unchecked(&self.bytes) }
    }
}

impl<S: KmallocSite> AsRef<CStr> for CString<S> {
    fn as_ref(&self) -> &CStr {
        self
    }
}

impl<S: KmallocSite> Borrow<CStr> for CString<S> {
    fn borrow(&self) -> &CStr {
        self
    }
}

impl<S: KmallocSite> TryFrom<&CStr> for CString<S> {
    type Error = AllocError;

    fn try_from(text: &CStr) -> Result<Self, AllocError> {
        // GFP: The kernel crate's conversion has no flags, and uses these.
        Self::from_c_str(text, GFP_KERNEL)
    }
}

impl<S: KmallocSite> fmt::Display for CString<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<S: KmallocSite> fmt::Debug for CString<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// The length of a formatted text.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_add(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// A writer into the spare capacity of a vector, except its last byte.
struct Within<'a, S: KmallocSite> {
    bytes: &'a mut KVec<u8, S>,
    flags: Flags,
}

impl<S: KmallocSite> Write for Within<'_, S> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // OVERFLOW: The length is at most the capacity.
        if self.bytes.capacity() - self.bytes.len() <= text.len() {
            return Err(fmt::Error);
        }
        // The vector has room for the text, so that nothing is allocated.
        self.bytes
            .extend_from_slice(text.as_bytes(), self.flags)
            .map_err(|_| fmt::Error)
    }
}

/// Formats a counted C string: `kasprintf!(flags, "…", …)`.
///
/// # Examples
///
/// ```
/// use kalloc::{kasprintf, CString};
///
/// kalloc::sites! {
///     Names: kmalloc([u8]), "doc_kasprintf";
/// }
///
/// let name: CString<Names> = kasprintf!(GFP_KERNEL, "port-{}", 7)?;
/// assert_eq!(&*name, c"port-7");
/// # Ok::<(), Error>(())
/// ```
#[macro_export]
macro_rules! kasprintf {
    ($flags:expr, $($args:tt)+) => {
        $crate::CString::from_fmt(::kernel::prelude::fmt!($($args)+), $flags)
    };
}
