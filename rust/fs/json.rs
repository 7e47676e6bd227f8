// SPDX-License-Identifier: GPL-2.0-only

//! JSON text.

use kernel::fmt::{
    self,
    Write, //
};

/// A JSON string, with the quotes.
///
/// # Examples
///
/// ```
/// use kalloc::fs::json::Quoted;
/// use kernel::str::CString;
///
/// let text = CString::try_from_fmt(fmt!("{}", Quoted("a \"b\"\n")))?;
/// assert_eq!(text.to_bytes(), br#""a \"b\"\u000a""#);
/// # Ok::<(), Error>(())
/// ```
pub struct Quoted<'a>(pub &'a str);

impl core::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}
