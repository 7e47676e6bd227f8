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
/// use kalloc::fs::{
///     json::Quoted,
///     seq_file::{SeqFile, SeqOps},
/// };
/// use kernel::fmt::Write;
///
/// struct Name(&'static str);
///
/// impl SeqOps for Name {
///     fn start(&self, pos: u64) -> Option<u64> {
///         (pos == 0).then_some(0)
///     }
///
///     fn show(&self, _pos: u64, out: &mut SeqFile) {
///         // Writing to an `SeqFile` does not fail.
///         let _ = write!(out, "{{\"name\":{}}}", Quoted(self.0));
///         out.write(b"\n");
///     }
/// }
///
/// assert_eq!(Name("a \"b\"").start(1), None);
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
