// SPDX-License-Identifier: GPL-2.0-only

//! Deferred frees of slab objects in which the freeing thread holds a lock.
//!
//! The key of a type-safe object keeps its state when the object is freed. A thread may therefore
//! hold a lock in the key during the free, and unlock it later. Lockdep does not support that:
//! `debug_check_no_locks_freed()` reports each free of memory in which the current thread holds a
//! lock, and then turns lockdep off. Such an object is put on a list, which the worker of the
//! registry frees. Kernels without `CONFIG_DEBUG_LOCK_ALLOC` do not use the list.
//!
//! C header: [`include/linux/llist.h`](srctree/include/linux/llist.h)

use crate::sys::bindings;
use core::ptr::NonNull;
use kernel::{
    ffi::c_void,
    types::Opaque, //
};

/// The list of objects: a `struct llist_head`.
struct List(Opaque<bindings::llist_head>);

// SAFETY: The list needs no lock: `llist` functions access it by atomic operations.
unsafe impl Sync for List {}

static LIST: List = List(Opaque::zeroed());

/// Returns true if lockdep finds that the current thread holds a lock in this memory.
#[inline]
pub(crate) fn is_locked<T>(memory: NonNull<T>) -> bool {
    if !cfg!(CONFIG_DEBUG_LOCK_ALLOC) {
        return false;
    }
    // SAFETY: The helper only compares addresses with those of the locks that the current thread
    // holds.
    unsafe { bindings::kalloc_helper_is_locked(memory.as_ptr().cast(), size_of::<T>()) }
}

/// Puts an object on the list. Returns true if the list was empty: the caller must then schedule
/// the worker.
///
/// # Context
///
/// Any but NMI.
///
/// # Safety
///
/// - `object` must be an allocated object of a slab cache, and the caller must give it up.
/// - It must begin with an aligned word that no code uses until the object is freed.
pub(crate) unsafe fn push(object: NonNull<c_void>) -> bool {
    // SAFETY: The object is given up and begins with an unused aligned word, by the requirements of
    // this function. The list is static.
    unsafe { bindings::kalloc_helper_llist_add(object.as_ptr().cast(), LIST.0.get()) }
}

/// Frees all objects on the list.
///
/// The caller must hold the lock of the list of sites. On return, no object is on its way from this
/// list to its cache.
pub(crate) fn free_all() {
    // SAFETY: The list is static.
    let mut next = unsafe { bindings::kalloc_helper_llist_del_all(LIST.0.get()) };
    while let Some(entry) = NonNull::new(next) {
        // SAFETY: `push` requires that the entry's word is not used until the object is freed.
        next = unsafe { entry.read() }.next;
        // SAFETY: `push` requires an allocated object of a slab cache, given up by its owner. Its
        // cache is live: `CacheSlot::close` calls this function before it destroys the cache.
        unsafe { bindings::kfree(entry.as_ptr().cast()) };
    }
}
