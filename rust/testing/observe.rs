// SPDX-License-Identifier: GPL-2.0-only

//! Facts about memory that only the kernel has, for the modules with KUnit suites. The module is in
//! rust/ because it declares C functions.

use core::ptr;
use kernel::{
    error::to_result,
    ffi::{
        c_int,
        c_uint,
        c_ulong,
        c_void, //
    },
    prelude::*, //
};

unsafe extern "C" {
    // The functions of observe.c. The safe ones accept any address, or access only data of the
    // current thread.
    safe fn kalloc_test_is_free(addr: c_ulong) -> c_int;
    fn kalloc_test_page_refs(block: *const c_void, nth: c_ulong) -> c_int;
    safe fn kalloc_test_has_warned() -> bool;
    safe fn kalloc_test_attach_mm() -> c_int;
    fn kalloc_test_cache(object: *const c_void, facts: *mut c_uint) -> bool;
    safe fn kalloc_test_watch() -> bool;
    safe fn kalloc_test_watched() -> c_int;
    safe fn kalloc_test_await_free(
        address: *const c_void,
        function: Option<extern "C" fn()>,
    ) -> c_int;
}

/// Returns the address of a value.
pub(crate) fn address<T: ?Sized>(value: &T) -> usize {
    ptr::from_ref(value).addr()
}

/// Returns true if the memory at `address` is free, or `None` if this kernel keeps no record of it.
pub(crate) fn is_free(address: usize) -> Option<bool> {
    match kalloc_test_is_free(address) {
        free if free < 0 => None,
        free => Some(free > 0),
    }
}

/// True if this kernel records the free memory of its direct map.
pub(crate) const RECORDED: bool = cfg!(CONFIG_KASAN_GENERIC);

/// Returns the number of references to the page that follows a block in the direct map.
pub(crate) fn references_behind(block: &[u8]) -> i32 {
    let pages = block.len() / kernel::page::PAGE_SIZE;
    // SAFETY: The address is that of a block. The page behind it exists: the tests call this only
    // for blocks whose page is not the last of its aligned group.
    unsafe { kalloc_test_page_refs(block.as_ptr().cast(), pages) }
}

/// Returns true if the kernel has logged a warning since boot.
pub(crate) fn has_warned() -> bool {
    kalloc_test_has_warned()
}

/// Gives the thread of this case an address space without mappings, in which each access fails.
///
/// # Errors
///
/// `ENOMEM` if there is no memory.
pub(crate) fn attach_mm() -> Result {
    to_result(kalloc_test_attach_mm())
}

/// Facts about the slab cache of an object.
pub(crate) struct Cache {
    /// Offset and size of the usercopy region, if copies are checked.
    pub(crate) usercopy: (u32, u32),
    /// The offset of the free pointer in a free object.
    pub(crate) free_pointer: u32,
}

/// Returns the allocator's data about the cache of an object, or `None` if they cannot be read.
pub(crate) fn cache<T>(object: &T) -> Option<Cache> {
    let mut facts = [0; 3];
    // SAFETY: The object is borrowed, and `facts` has room for three numbers.
    unsafe { kalloc_test_cache(ptr::from_ref(object).cast(), facts.as_mut_ptr()) }.then_some(
        Cache {
            usercopy: (facts[0], facts[1]),
            free_pointer: facts[2],
        },
    )
}

/// The allocator calls that a thread has made.
#[derive(Debug, PartialEq)]
pub(crate) enum Calls {
    /// The kernel does not trace them.
    Unknown,
    /// There were no calls.
    None,
    /// No call requested a zone.
    Anywhere,
    /// A call requested high memory, or memory below 4 GiB.
    InZone,
}

/// Calls `f`, and returns its result and the calls that it has made.
pub(crate) fn calls<R>(f: impl FnOnce() -> R) -> (R, Calls) {
    let traced = kalloc_test_watch();
    let result = f();
    if !traced {
        return (result, Calls::Unknown);
    }
    let calls = match kalloc_test_watched() {
        0 => Calls::None,
        1.. => Calls::Anywhere,
        _ => Calls::InZone,
    };
    (result, calls)
}

/// Calls `f`, and calls `then` when `f` begins to free the block at `address`. Only one thread at a
/// time may wait for a free.
///
/// # Errors
///
/// `EOPNOTSUPP` if this kernel does not trace frees. `f` was called nevertheless.
pub(crate) fn when_freed(address: usize, then: extern "C" fn(), f: impl FnOnce()) -> Result {
    let traced = kalloc_test_await_free(ptr::without_provenance(address), Some(then));
    f();
    to_result(traced)?;
    to_result(kalloc_test_await_free(ptr::null(), None))
}
