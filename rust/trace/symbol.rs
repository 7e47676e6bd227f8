// SPDX-License-Identifier: GPL-2.0-only

//! The names of addresses, and the addresses of functions.
//!
//! C headers: [`include/linux/kallsyms.h`](srctree/include/linux/kallsyms.h),
//! [`include/linux/kprobes.h`](srctree/include/linux/kprobes.h)

use crate::sys::{
    bindings,
    context, //
};
use core::ops::Range;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// The function that contains an address.
///
/// # Examples
///
/// ```
/// use kalloc::trace::symbol::Symbol;
///
/// let symbol = Symbol::parse("xfs_buf_alloc+0x12/0x40 [xfs]");
/// assert_eq!(symbol.function, "xfs_buf_alloc");
/// assert_eq!((symbol.offset, symbol.size), (0x12, 0x40));
/// assert_eq!(symbol.module, Some("xfs"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// The name of the function, or the address if no function contains it.
    pub function: &'a str,
    /// The offset of the address in the function.
    pub offset: usize,
    /// The size of the function.
    pub size: usize,
    /// The function's module, or `None` for a built-in function.
    pub module: Option<&'a str>,
}

impl<'a> Symbol<'a> {
    /// Returns the parts of a symbol as the kernel prints it.
    pub fn parse(text: &'a str) -> Self {
        let (text, module) = match text.split_once(" [") {
            Some((text, module)) => (text, module.split([' ', ']']).next()),
            None => (text, None),
        };
        let (function, numbers) = text.rsplit_once('+').unwrap_or((text, ""));
        let (offset, size) = numbers.split_once('/').unwrap_or((numbers, ""));
        let number = |text: &str| {
            let digits = text.strip_prefix("0x").unwrap_or(text);
            usize::from_str_radix(digits, 16).unwrap_or(0)
        };
        Symbol {
            function,
            offset: number(offset),
            size: number(size),
            module,
        }
    }
}

/// Calls `f` with the function that contains `address`, and returns its result.
///
/// # Context
///
/// Any but NMI: kernels search their symbols for some microseconds.
///
/// # Errors
///
/// [`ENOMEM`] if there is no memory for the name.
///
/// # Examples
///
/// ```
/// use kalloc::trace::symbol;
///
/// let here = core::ptr::from_ref(&symbol::function) as usize;
/// // No function contains the address of a variable on the stack.
/// assert_eq!(symbol::with(here, |symbol| symbol.size)?, 0);
/// # Ok::<(), Error>(())
/// ```
pub fn with<R>(address: usize, f: impl FnOnce(Symbol<'_>) -> R) -> Result<R> {
    // GFP: The caller selects no flags, and may be unable to sleep.
    let mut text = KVec::<u8>::with_capacity(bindings::KSYM_SYMBOL_LEN, GFP_ATOMIC)?;
    text.resize(bindings::KSYM_SYMBOL_LEN, 0, GFP_ATOMIC)?;
    // SAFETY: The buffer has the length that C requires.
    let length = unsafe { bindings::sprint_symbol(text.as_mut_ptr().cast(), address) };
    // CAST: A negative length does not occur.
    let text = text.get(..length as usize).unwrap_or_default();
    Ok(f(Symbol::parse(core::str::from_utf8(text).unwrap_or("?"))))
}

/// Returns the addresses of a function of the kernel or of a module.
///
/// # Context
///
/// Process context; may sleep.
///
/// # Errors
///
/// - [`ENOENT`] if there is no such function, or if kprobes are not allowed there.
/// - `EOPNOTSUPP` if the kernel has no kprobes.
/// - [`ENOMEM`] if there is no memory, or in a context known to be atomic.
///
/// # Examples
///
/// ```
/// use kalloc::trace::{is_unsupported, symbol};
///
/// let function = symbol::function(c"kmem_cache_free");
/// assert!(function.map_or_else(is_unsupported, |function| function.len() > 16));
/// assert!(symbol::function(c"there_is_no_such_function").is_err());
/// ```
pub fn function(name: &CStr) -> Result<Range<usize>> {
    // The lookup sleeps.
    if context::known_atomic() {
        return Err(ENOMEM);
    }
    let mut at = 0;
    // SAFETY: The name is a NUL-terminated string.
    let found = unsafe { bindings::kalloc_helper_kprobe_address(name.as_char_ptr(), &mut at) };
    to_result(found).map_err(|error| if error == EINVAL { ENOENT } else { error })?;
    // The address may be after an instruction at the entry.
    with(at, |symbol| {
        let start = at - symbol.offset;
        start..start + symbol.size
    })
}
