// SPDX-License-Identifier: GPL-2.0-only

//! Counting at link time: what the kernel crate's types allocate for a driver.
//!
//! The generic code of the kernel crate (`Arc`, `RBTree`, `CString`, …) is compiled into the driver's
//! object. It reaches the allocators through a few undefined symbols. If the driver's Kbuild passes
//! `count.ld` to the linker, the calls go to the functions of `rust/helpers/linked.c` instead, which
//! count each block by the address of the call. The compiler has one call for each type, unless it
//! merges them. Each call site is a row of its own, named after its function.
//!
//! The first call creates the row, if its flags allow sleeping. Otherwise a worker creates it, and
//! the blocks before that are not counted. A record for each block connects its free with its row.
//!
//! C header: [`include/linux/kallsyms.h`](srctree/include/linux/kallsyms.h)

use crate::{
    accounting::{
        family,
        registry,
        site::{
            count_block,
            Site, //
        }, //
    },
    sys::{
        bindings,
        context,
        work::StaticWork, //
    }, //
};
use core::{
    ptr::{
        self,
        NonNull, //
    },
    slice,
    str,
    sync::atomic::{
        AtomicUsize,
        Ordering, //
    }, //
};
use kernel::{
    alloc::AllocError,
    ffi::{
        c_uint,
        c_ulong, //
    },
    fmt,
    prelude::*,
    str::CString, //
};

mod slots;

use self::slots::Slots;

/// A row: the call site of a driver, and the memory of its name.
///
/// # Invariants
///
/// `site` refers to the text in `name` and `path`.
#[repr(C)]
pub(crate) struct Row {
    // The first fields, which the C code uses.
    module: *mut bindings::module,
    family: c_uint,
    site: Site,
    _name: KVec<u8>,
    _path: KVec<u8>,
}

/// The call sites by the return address of the call. The lock is that of the registry.
static TABLE: Slots<Row, 2048> = Slots::new();

/// Call sites that wait for their rows, because their first call must not sleep.
static WAITING: [AtomicUsize; 64] = [const { AtomicUsize::new(0) }; 64];

/// The worker that creates these rows.
// SAFETY: The helper returns the static item with `kalloc_create_rows`.
static CREATE: StaticWork = unsafe { StaticWork::new(bindings::kalloc_helper_row_creator) };

/// Returns the row of a call site.
pub(crate) fn find(ip: usize) -> Option<NonNull<Row>> {
    TABLE.find(ip)
}

/// Returns whether there is no place for another row. The caller holds the lock of the registry.
pub(crate) fn is_full() -> bool {
    TABLE.is_full()
}

/// Adds the row of a call site. The caller holds the lock of the registry.
///
/// # Errors
///
/// [`ENOSPC`] if too many call sites have rows.
pub(crate) fn insert(ip: usize, row: &Row) -> Result {
    TABLE.insert(ip, row)
}

/// Removes the call sites of a module: those outside of its code if it stays, else all, and the
/// records of its blocks. The caller holds the lock of the registry.
pub(crate) fn remove(module: *mut bindings::module, stays: bool) {
    if !stays {
        // SAFETY: The pointer is only compared.
        unsafe { bindings::kalloc_helper_forget_records(module) };
        // Its code no longer runs. Other code may have the address before the worker creates the row.
        for place in &WAITING {
            let waiting = place.load(Ordering::Relaxed);
            // SAFETY: The module's memory exists, by the rules of the module loader.
            let is_its = || unsafe {
                bindings::kalloc_helper_within_module(address(waiting) as c_ulong, module)
            };
            if waiting != 0 && is_its() {
                let _ = place.compare_exchange(waiting, 0, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
    }
    TABLE.remove(|ip, row| {
        // SAFETY: The row of an address in the table exists: the caller holds the lock of the
        // registry.
        let is_its = unsafe { (*row).module } == module;
        let is_core = || {
            // SAFETY: The module's memory exists, by the rules of the module loader.
            unsafe { bindings::kalloc_helper_within_module_core(ip as c_ulong, module) }
        };
        is_its && (!stays || !is_core())
    });
}

/// The families, by their number in `linked.c`, and the functions that create their sites.
const FAMILIES: [unsafe fn(&'static str, &'static str, &'static str) -> Site; 4] = [
    Site::linked::<family::Kmalloc>,
    Site::linked::<family::KVmalloc>,
    Site::linked::<family::Vmalloc>,
    Site::linked::<family::PageAlloc>,
];

impl Row {
    /// Creates the row of a call site in `module`. Its number distinguishes rows of one name.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if there is no such family.
    /// - [`ENOMEM`] if there is no memory for the row.
    ///
    /// # Safety
    ///
    /// - `module` must be loaded.
    /// - The site must not be used after the row is dropped or the module's memory is freed.
    pub(crate) unsafe fn new(
        module: *mut bindings::module,
        ip: usize,
        family: c_uint,
        number: usize,
    ) -> Result<KBox<Self>> {
        let create = FAMILIES.get(family as usize).ok_or(EINVAL)?;
        // SAFETY: The module is loaded, and its name stays as long as its memory.
        let module_name =
            unsafe { CStr::from_char_ptr(bindings::kalloc_helper_module_name(module)) };
        let module_name = module_name.to_str().unwrap_or("?");
        // GFP: The driver's call allows sleeping, or a worker creates the row.
        let mut text = KVec::from_elem(0u8, SYMBOL_LEN, GFP_KERNEL)?;
        // The call is before its return address.
        // SAFETY: The buffer has the size that the function needs.
        unsafe { bindings::kalloc_helper_symbol(text.as_mut_ptr().cast(), ip as c_ulong - 1) };
        let end = text.iter().position(|&c| c == 0).unwrap_or(0);
        let symbol = text.get(..end).and_then(|t| str::from_utf8(t).ok());
        let (symbol, rest) = symbol
            .unwrap_or("")
            .split_once('+')
            .unwrap_or(("unknown", ""));
        let (offset, _) = rest.split_once('/').unwrap_or(("0", ""));

        let (mut name, mut path) = (KVec::new(), KVec::new());
        row_name(&mut name, module_name, symbol, offset, number)?;
        join(&mut path, idents(symbol), b"::")?;
        // SAFETY: The bytes are ASCII, and stay in place as long as the row.
        let lasting = |text: &KVec<u8>| unsafe {
            str::from_utf8_unchecked(slice::from_raw_parts(text.as_ptr(), text.len()))
        };
        // INVARIANT: The texts are those of the row.
        // SAFETY: The site is not used after the row is dropped.
        let site = unsafe { create(lasting(&name), module_name, lasting(&path)) };
        Ok(KBox::new(
            Row {
                module,
                family,
                site,
                _name: name,
                _path: path,
            },
            GFP_KERNEL,
        )?)
    }

    /// Returns the site.
    pub(crate) fn site(&self) -> &Site {
        &self.site
    }
}

/// The size of a buffer for a symbol (at least `KSYM_SYMBOL_LEN`).
const SYMBOL_LEN: usize = bindings::KSYM_NAME_LEN as usize + 256;

/// The longest name of a row of slabinfo, and the longest part of it that names the module.
const NAME_LEN: usize = 63;
const MODULE_LEN: usize = 40;

/// The allocators of the kernel crate, which the row shows as the family.
const ALLOCATORS: [&str; 3] = ["Kmalloc", "KVmalloc", "Vmalloc"];

/// Writes `MODULE.Type.function+0x12`. The types are the identifiers with a capital letter.
fn row_name(
    name: &mut KVec<u8>,
    module: &str,
    symbol: &str,
    offset: &str,
    number: usize,
) -> Result {
    const DIGITS: &[u8; 10] = b"0123456789";
    // GFP: The driver's call allows sleeping, or a worker creates the row.
    join(name, [module].into_iter(), b"")?;
    name.truncate(MODULE_LEN);
    let (mut last, mut body) = ("", KVec::new());
    for ident in idents(symbol) {
        if ident.starts_with(|c: char| c.is_ascii_uppercase()) && !ALLOCATORS.contains(&ident) {
            body.push(b'.', GFP_KERNEL)?;
            body.extend_from_slice(ident.as_bytes(), GFP_KERNEL)?;
        }
        last = ident;
    }
    if !last.starts_with(|c: char| c.is_ascii_uppercase()) {
        body.push(b'.', GFP_KERNEL)?;
        body.extend_from_slice(last.as_bytes(), GFP_KERNEL)?;
    }
    // The end of a name is the most specific part.
    let tail = 1 + offset.len() + if number > 0 { 2 } else { 0 };
    let room = NAME_LEN.saturating_sub(name.len() + tail);
    let end = body.get(body.len().saturating_sub(room)..).unwrap_or(&[]);
    let from = end.iter().position(|&c| c == b'.').unwrap_or(end.len());
    name.extend_from_slice(end.get(from..).unwrap_or(&[]), GFP_KERNEL)?;
    name.push(b'+', GFP_KERNEL)?;
    name.extend_from_slice(offset.as_bytes(), GFP_KERNEL)?;
    if let Some(&digit) = DIGITS.get(number).filter(|_| number > 0) {
        name.push(b'~', GFP_KERNEL)?;
        name.push(digit, GFP_KERNEL)?;
    }
    Ok(())
}

/// Writes words with a separator.
fn join<'a>(out: &mut KVec<u8>, words: impl Iterator<Item = &'a str>, separator: &[u8]) -> Result {
    // GFP: The driver's call allows sleeping, or a worker creates the row.
    for word in words {
        if !out.is_empty() {
            out.extend_from_slice(separator, GFP_KERNEL)?;
        }
        // A name has no character that readers of slabinfo reject.
        let plain = word
            .bytes()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'$'));
        for c in plain {
            out.push(c, GFP_KERNEL)?;
        }
    }
    Ok(())
}

/// Returns an iterator over the identifiers of a symbol: those of a mangled name of Rust (v0), in
/// their order, or the whole symbol of C.
fn idents(symbol: &str) -> impl Iterator<Item = &str> {
    let mut rest = symbol.strip_prefix("_R");
    let mut whole = rest.is_none().then_some(symbol);
    core::iter::from_fn(move || {
        if whole.is_some() {
            return whole.take();
        }
        loop {
            let text = rest?;
            let mut chars = text.chars();
            let first = chars.next()?;
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            if digits > 0 {
                let (len, after) = text.split_at(digits);
                let after = after.strip_prefix('_').unwrap_or(after);
                let len = len.parse::<usize>().ok()?;
                let ident = after.get(..len)?;
                rest = after.get(len..);
                // A closure has an empty name.
                if !ident.is_empty() {
                    return Some(ident);
                }
                continue;
            }
            rest = Some(match first {
                // A number in base 62, which ends with `_`: of an identifier, a lifetime, a binder
                // or an earlier position.
                's' | 'B' | 'L' | 'G' => chars.as_str().split_once('_')?.1,
                // A constant: its type, and its value in hexadecimal digits.
                'K' if !text.starts_with("KB") => text.split_once('_')?.1,
                // A suffix of the compiler.
                '.' | '$' => return None,
                _ => chars.as_str(),
            });
        }
    })
}

/// Returns the row of a call site, or NULL. Creates it if `gfp` allows sleeping, else later.
///
/// # Safety
///
/// Only `linked.c` may call this, with the return address of a call and one of its families.
#[no_mangle]
unsafe extern "C" fn kalloc_linked_row(
    ip: c_ulong,
    family: c_uint,
    gfp: bindings::gfp_t,
) -> *mut Row {
    let key = ip;
    if let Some(row) = find(key) {
        // SAFETY: The row exists as long as the code of the call.
        let fits = unsafe { row.as_ref() }.family == family;
        return if fits { row.as_ptr() } else { ptr::null_mut() };
    }
    // GFP: The creation of a row needs what all of these flags allow.
    if gfp & bindings::GFP_KERNEL == bindings::GFP_KERNEL && !context::known_atomic() {
        match registry::try_add_linked(key, family) {
            Ok(row) => return row.as_ptr(),
            // The worker waits for the list.
            Err(EBUSY) => {}
            Err(_) => return ptr::null_mut(),
        }
    }
    // The two highest bits of a kernel address are set, so the shift loses nothing.
    let waiting = key << 2 | family as usize;
    for place in &WAITING {
        match place.compare_exchange(0, waiting, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => {
                CREATE.schedule();
                break;
            }
            Err(other) if other == waiting => break,
            Err(_) => {}
        }
    }
    ptr::null_mut()
}

/// Returns the address of a waiting call site.
fn address(waiting: usize) -> usize {
    // CAST: The shift of a signed number restores the highest bits.
    (waiting as isize >> 2) as usize
}

/// Creates the rows of the waiting call sites.
///
/// # Safety
///
/// Only the workqueue may call this.
#[no_mangle]
unsafe extern "C" fn kalloc_create_rows(_: *mut bindings::work_struct) {
    for place in &WAITING {
        let waiting = place.load(Ordering::Relaxed);
        if waiting != 0 {
            // Without a row, the blocks stay uncounted.
            let _ = registry::add_linked(address(waiting), (waiting & 3) as c_uint);
            let _ = place.compare_exchange(waiting, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// Counts a block at a row: its allocation, or its free.
///
/// # Safety
///
/// Only `linked.c` may call this, with a row that exists.
#[no_mangle]
unsafe extern "C" fn kalloc_linked_count(
    row: *mut Row,
    size: usize,
    footprint: usize,
    freed: bool,
) {
    // SAFETY: The row exists by the requirement of this function.
    count_block(unsafe { (*row).site() }, size, footprint, freed);
}

/// Replaces `CString::try_from` in a driver, see `Kbuild`. The function of the kernel crate is part of
/// the kernel, where the linker cannot redirect the allocation itself.
#[no_mangle]
extern "Rust" fn kalloc_cstring_try_from(text: &CStr) -> Result<CString, AllocError> {
    CString::try_from(text).inspect(adopt)
}

/// Replaces `CString::try_from_fmt` in a driver.
#[no_mangle]
extern "Rust" fn kalloc_cstring_try_from_fmt(text: fmt::Arguments<'_>) -> Result<CString, Error> {
    CString::try_from_fmt(text).inspect(adopt)
}

/// Counts the block of a string.
#[inline(never)]
fn adopt(text: &CString) {
    // GFP: The functions of the kernel crate allocate a string with these flags.
    // SAFETY: The string owns the block, whose bytes it fills. Its owner frees it by a call that is
    // redirected.
    unsafe {
        bindings::kalloc_helper_adopt(
            text.as_char_ptr().cast_mut().cast(),
            text.to_bytes_with_nul().len(),
            bindings::GFP_KERNEL,
        )
    };
}

/// Cancels the worker.
pub(crate) fn exit() {
    CREATE.cancel();
}
