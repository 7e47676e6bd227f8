// SPDX-License-Identifier: GPL-2.0

//! Objects that a worker frees, as the thread that gives them up holds a lock in them.
//!
//! The key of a type-safe object stays as it is when the object is freed. So a thread may hold a lock
//! in the key meanwhile, and unlock it later. The kernel's lock validator does not know of that: it
//! reports each free of memory in which the current thread holds a lock
//! (`debug_check_no_locks_freed()`), and is off from then on. Such an object goes on a list, which
//! the worker of the registry takes. Kernels without `CONFIG_DEBUG_LOCK_ALLOC` never put one there.
//!
//! C header: [`include/linux/llist.h`](srctree/include/linux/llist.h)

use crate::sys::bindings;
use core::ptr::NonNull;
use kernel::{
    ffi::c_void,
    types::Opaque, //
};

/// The list: a `struct llist_head`.
struct List(Opaque<bindings::llist_head>);

// SAFETY: The list has no lock, but atomic operations.
unsafe impl Sync for List {}

static LIST: List = List(Opaque::zeroed());

/// Returns whether the current thread holds a lock in this memory, as far as the kernel checks locks.
#[inline]
pub(crate) fn is_locked<T>(memory: NonNull<T>) -> bool {
    if !cfg!(CONFIG_DEBUG_LOCK_ALLOC) {
        return false;
    }
    // SAFETY: The helper compares addresses only, with those of the locks of the current thread.
    unsafe { bindings::kalloc_helper_is_locked(memory.as_ptr().cast(), size_of::<T>()) }
}

/// Puts an object on the list. Returns whether the list was empty: the caller then schedules the worker.
///
/// # Context
///
/// Any but NMI.
///
/// # Safety
///
/// - `object` must be an allocated object of a slab cache, which is given up.
/// - It must begin with an aligned word that nobody uses until the object is freed.
pub(crate) unsafe fn push(object: NonNull<c_void>) -> bool {
    // SAFETY: By the requirements of this function, the entry of the list is where nothing else is.
    // The list is static.
    unsafe { bindings::kalloc_helper_llist_add(object.as_ptr().cast(), LIST.0.get()) }
}

/// Frees all objects on the list.
///
/// To be called with the list of sites locked: then no object is on its way from this list to its cache
/// when the function returns.
pub(crate) fn free_all() {
    // SAFETY: The list is static.
    let mut next = unsafe { bindings::kalloc_helper_llist_del_all(LIST.0.get()) };
    while let Some(entry) = NonNull::new(next) {
        // SAFETY: By the requirements of `push`, the entry is valid until the object is freed.
        next = unsafe { entry.read() }.next;
        // SAFETY: By the requirements of `push`, this is an object of a slab cache, which nobody owns.
        // Its cache is not destroyed before: `CacheSlot::close` calls this function first.
        unsafe { bindings::kfree(entry.as_ptr().cast()) };
    }
}
