// SPDX-License-Identifier: GPL-2.0

//! Facts about memory that only the kernel has: part of the modules with the KUnit suites, and here because
//! it declares C functions.

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
    // The functions of observe.c. Those that are safe take any address, or belong to the current thread.
    safe fn kalloc_test_is_free(addr: c_ulong) -> c_int;
    fn kalloc_test_page_refs(block: *const c_void, nth: c_ulong) -> c_int;
    safe fn kalloc_test_has_warned() -> bool;
    fn kalloc_test_cache(object: *const c_void, facts: *mut c_uint) -> bool;
    safe fn kalloc_test_watch() -> bool;
    safe fn kalloc_test_watched() -> c_int;
    safe fn kalloc_test_await_free(
        address: *const c_void,
        function: Option<extern "C" fn()>,
    ) -> c_int;
}

/// The address of a value.
pub(crate) fn address<T: ?Sized>(value: &T) -> usize {
    ptr::from_ref(value).addr()
}

/// Returns whether the memory at `address` is free, if this kernel keeps a record of it.
pub(crate) fn is_free(address: usize) -> Option<bool> {
    match kalloc_test_is_free(address) {
        free if free < 0 => None,
        free => Some(free > 0),
    }
}

/// Whether this kernel keeps a record of what is free in its direct mapping.
pub(crate) const RECORDED: bool = cfg!(CONFIG_KASAN_GENERIC);

/// Returns the number of references to the page that follows a block in the direct mapping.
pub(crate) fn references_behind(block: &[u8]) -> i32 {
    let pages = block.len() / kernel::page::PAGE_SIZE;
    // SAFETY: The address is that of a block. The machine has memory behind it, or the block is not one
    // of those that the tests ask about: its page is not the last of its aligned group.
    unsafe { kalloc_test_page_refs(block.as_ptr().cast(), pages) }
}

/// Returns whether the kernel has warned of anything since it was booted.
pub(crate) fn has_warned() -> bool {
    kalloc_test_has_warned()
}

/// The cache that an object is from.
pub(crate) struct Cache {
    /// Offset and size of the usercopy region, if copies are checked.
    pub(crate) usercopy: (u32, u32),
    /// The offset of the allocator's pointer in a free object.
    pub(crate) free_pointer: u32,
}

/// Returns what the allocator notes of the cache that an object is from, if that can be read.
pub(crate) fn cache<T>(object: &T) -> Option<Cache> {
    let mut facts = [0; 3];
    // SAFETY: The object is borrowed, and there is room for three numbers.
    unsafe { kalloc_test_cache(ptr::from_ref(object).cast(), facts.as_mut_ptr()) }.then_some(
        Cache {
            usercopy: (facts[0], facts[1]),
            free_pointer: facts[2],
        },
    )
}

/// The calls of the allocators that a thread has made.
#[derive(Debug, PartialEq)]
pub(crate) enum Calls {
    /// The kernel does not trace them.
    Unknown,
    /// There were none.
    None,
    /// No call asked for a zone.
    Anywhere,
    /// A call asked for high memory, or for memory below 4 GiB.
    InZone,
}

/// Calls `f`, and returns which calls it has made.
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

/// Calls `f`, and `then` as soon as it begins to free the block at `address`, which only one thread may await at
/// a time. An error, `EOPNOTSUPP` if this kernel does not trace that, comes after `f`.
pub(crate) fn when_freed(address: usize, then: extern "C" fn(), f: impl FnOnce()) -> Result {
    let traced = kalloc_test_await_free(ptr::without_provenance(address), Some(then));
    f();
    to_result(traced)?;
    to_result(kalloc_test_await_free(ptr::null(), None))
}
