// SPDX-License-Identifier: GPL-2.0-only

//! The names of sites: `MODULE/FUNCTION+0xOFFSET`.

use crate::list::WatchList;
use kalloc::{
    fs::slabinfo::MAX_NAME,
    prelude::*,
    trace::symbol::Symbol, //
};
use kernel::fmt::{
    self,
    Write, //
};

kalloc::sites! {
    /// The names of functions and modules.
    pub(crate) Texts: kmalloc([u8]), "watch_names";
}

/// A text of a fixed size, which fits into a row of slabinfo.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    bytes: [u8; MAX_NAME],
    len: u8,
}

impl Name {
    pub(crate) const EMPTY: Self = Name {
        bytes: [0; MAX_NAME],
        len: 0,
    };

    pub(crate) fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len));
        core::str::from_utf8(bytes.unwrap_or_default()).unwrap_or("?")
    }

    /// Returns a hash of the text, which is never 0.
    pub(crate) fn hash(&self) -> u64 {
        hash(self.as_str().as_bytes())
    }
}

impl Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // A blank or a colon would be the end of the name for a reader of slabinfo.
            let byte = match byte {
                b' ' | b':' => b'.',
                byte if byte.is_ascii_graphic() => byte,
                _ => b'?',
            };
            let to = self
                .bytes
                .get_mut(usize::from(self.len))
                .ok_or(fmt::Error)?;
            *to = byte;
            self.len += 1;
        }
        Ok(())
    }
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        })
        .max(1)
}

/// The parts of a table that share a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grouping {
    Site,
    Function,
    Module,
}

impl Grouping {
    pub(crate) const ALL: [(&'static str, Grouping); 3] = [
        ("site", Grouping::Site),
        ("function", Grouping::Function),
        ("module", Grouping::Module),
    ];
}

/// A function and an offset. The names are empty if they are unknown.
pub(crate) struct Label {
    module: KVec<u8, Texts>,
    function: KVec<u8, Texts>,
    pub(crate) offset: usize,
}

impl Label {
    /// Returns the label of a call that returns to `offset` of a symbol.
    pub(crate) fn new(symbol: &Symbol<'_>, offset: usize) -> Result<Self> {
        let module = symbol.module.unwrap_or(WatchList::BUILT_IN);
        // GFP: Names are resolved in process context.
        Ok(Label {
            module: text(module)?,
            // Without a function, the symbol is the address.
            function: text(match symbol.function.starts_with("0x") {
                true => "",
                false => symbol.function,
            })?,
            offset,
        })
    }

    /// Returns the label of a call for whose name there is no memory.
    pub(crate) fn unknown(offset: usize) -> Self {
        Label {
            module: KVec::new(),
            function: KVec::new(),
            offset,
        }
    }

    pub(crate) fn module(&self) -> &str {
        known(&self.module)
    }

    pub(crate) fn function(&self) -> &str {
        known(&self.function)
    }

    /// Returns true if this is the same call.
    pub(crate) fn is(&self, other: &Label) -> bool {
        (self.module(), self.function(), self.offset)
            == (other.module(), other.function(), other.offset)
    }

    /// Returns the name of a row.
    pub(crate) fn name(&self, grouping: Grouping) -> Name {
        let mut offset = Name::EMPTY;
        if grouping == Grouping::Site {
            // A number fits.
            let _ = write!(offset, "+0x{:x}", self.offset);
        }
        let mut name = Name::EMPTY;
        let _ = name.write_str(self.module());
        if grouping == Grouping::Module {
            return name;
        }
        let _ = name.write_str("/");
        let taken = usize::from(name.len) + usize::from(offset.len);
        self.short(MAX_NAME.saturating_sub(taken), &mut name);
        let _ = name.write_str(offset.as_str());
        name
    }

    /// Writes the name of the function in at most `room` bytes: a Rust function as `TYPE.FUNCTION`,
    /// with a hash that distinguishes instances of a generic function.
    fn short(&self, room: usize, name: &mut Name) {
        let full = self.function();
        // CAST: The lowest bits of the hash.
        let tag = hash(full.as_bytes()) as u16;
        let start = name.len;
        let fits = match demangled(full) {
            Some((scope, function)) => {
                let _ = match scope {
                    "" => write!(name, "{function}#{tag:04x}"),
                    scope => write!(name, "{scope}.{function}#{tag:04x}"),
                };
                usize::from(name.len - start) <= room && usize::from(name.len) < MAX_NAME
            }
            None => {
                let _ = name.write_str(full);
                full.len() <= room
            }
        };
        if !fits {
            let mut tail = Name::EMPTY;
            let _ = write!(tail, "~{tag:04x}");
            // CAST: The room is less than the length of a name.
            name.len = name.len.min(start + (room as u8).saturating_sub(tail.len));
            let _ = name.write_str(tail.as_str());
        }
    }
}

/// Returns a name, or the text for one that is unknown.
fn known(name: &[u8]) -> &str {
    match core::str::from_utf8(name) {
        Ok("") | Err(_) => "unknown",
        Ok(name) => name,
    }
}

/// Returns a copy of a text.
fn text(from: &str) -> Result<KVec<u8, Texts>> {
    let mut text = KVec::with_capacity(from.len(), GFP_KERNEL)?;
    text.extend_from_slice(from.as_bytes(), GFP_KERNEL)?;
    Ok(text)
}

/// Returns the last two identifiers of the path of a mangled Rust function (v0), without generic
/// arguments.
fn demangled(symbol: &str) -> Option<(&str, &str)> {
    let mut parser = Parser {
        rest: symbol.strip_prefix("_R")?,
        depth: 0,
    };
    let (scope, function) = parser.path()?;
    Some((scope, function)).filter(|(_, function)| !function.is_empty())
}

/// A parser of mangled names.
///
/// Reference: <https://doc.rust-lang.org/rustc/symbol-mangling/v0.html>
struct Parser<'a> {
    rest: &'a str,
    depth: u32,
}

impl<'a> Parser<'a> {
    /// The limit of the recursion, for the stack.
    const MAX_DEPTH: u32 = 24;

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..)?;
        Some(c)
    }

    fn eat(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Skips a number of base 62, up to and including its underscore.
    fn skip_number(&mut self) -> Option<()> {
        let end = self.rest.find('_')?;
        self.rest = self.rest.get(end + 1..)?;
        Some(())
    }

    fn identifier(&mut self) -> Option<&'a str> {
        if self.eat('s') {
            self.skip_number()?;
        }
        self.eat('u');
        let digits = self.rest.find(|c: char| !c.is_ascii_digit())?;
        let length: usize = self.rest.get(..digits)?.parse().ok()?;
        self.rest = self.rest.get(digits..)?;
        self.eat('_');
        let identifier = self.rest.get(..length)?;
        self.rest = self.rest.get(length..)?;
        Some(identifier)
    }

    /// Returns the last two identifiers of a path.
    fn path(&mut self) -> Option<(&'a str, &'a str)> {
        self.depth += 1;
        if self.depth > Self::MAX_DEPTH {
            return None;
        }
        let path = match self.next()? {
            'C' => ("", self.identifier()?),
            'M' => {
                self.impl_path()?;
                ("", self.kind()?)
            }
            'X' => {
                self.impl_path()?;
                let on = self.kind()?;
                self.path()?;
                ("", on)
            }
            'Y' => {
                let on = self.kind()?;
                self.path()?;
                ("", on)
            }
            'N' => {
                let space = self.next()?;
                let (before, inner) = self.path()?;
                match (space, self.identifier()?) {
                    // A closure has no name.
                    (_, "") => (before, inner),
                    (_, identifier) => (inner, identifier),
                }
            }
            'I' => {
                let path = self.path()?;
                while !self.eat('E') {
                    self.argument()?;
                }
                path
            }
            'B' => {
                self.skip_number()?;
                ("", "")
            }
            _ => return None,
        };
        self.depth -= 1;
        Some(path)
    }

    fn impl_path(&mut self) -> Option<()> {
        if self.eat('s') {
            self.skip_number()?;
        }
        self.path().map(|_| ())
    }

    fn argument(&mut self) -> Option<()> {
        if self.eat('L') {
            self.skip_number()
        } else if self.eat('K') {
            self.constant()
        } else {
            self.kind().map(|_| ())
        }
    }

    fn constant(&mut self) -> Option<()> {
        match self.next()? {
            'p' => Some(()),
            'B' => self.skip_number(),
            _ => self.skip_number(),
        }
    }

    /// Skips a type, and returns the last identifier of its name.
    fn kind(&mut self) -> Option<&'a str> {
        self.depth += 1;
        if self.depth > Self::MAX_DEPTH {
            return None;
        }
        let first = self.rest.chars().next()?;
        let name = match first {
            'a'..='z' => {
                self.next()?;
                ""
            }
            'A' => {
                self.next()?;
                let name = self.kind()?;
                self.constant()?;
                name
            }
            'S' | 'P' | 'O' => {
                self.next()?;
                self.kind()?
            }
            'R' | 'Q' => {
                self.next()?;
                if self.eat('L') {
                    self.skip_number()?;
                }
                self.kind()?
            }
            'T' => {
                self.next()?;
                while !self.eat('E') {
                    self.kind()?;
                }
                ""
            }
            'F' => {
                self.next()?;
                if self.eat('G') {
                    self.skip_number()?;
                }
                self.eat('U');
                if self.eat('K') && !self.eat('C') {
                    self.identifier()?;
                }
                while !self.eat('E') {
                    self.kind()?;
                }
                self.kind()?;
                ""
            }
            'D' => {
                self.next()?;
                if self.eat('G') {
                    self.skip_number()?;
                }
                let mut name = "";
                while !self.eat('E') {
                    name = self.path()?.1;
                    while self.eat('p') {
                        self.identifier()?;
                        self.kind()?;
                    }
                }
                if self.eat('L') {
                    self.skip_number()?;
                }
                name
            }
            _ => self.path()?.1,
        };
        self.depth -= 1;
        Some(name)
    }
}
