// SPDX-License-Identifier: GPL-2.0-only

//! Deferred frees: memory that a worker frees in process context.
//!
//! Unmapping sleeps, and freeing many pages takes long. But an owner may be dropped in any context,
//! and freeing must not fail because memory is short. The memory to be freed therefore holds its
//! own list entry. The worker frees all entries soon afterwards, at the latest when this module is
//! unloaded. The block is already counted as freed, so its site and its module may be gone by then.
//!
//! C header: [`include/linux/llist.h`](srctree/include/linux/llist.h)

use crate::sys::{
    bindings,
    work::StaticWork, //
};
use core::ptr::NonNull;
use kernel::{
    ffi::c_void,
    types::Opaque, //
};

/// An entry of the list, stored in the memory that it frees.
#[repr(C)]
pub(crate) struct Entry {
    link: bindings::llist_node,
    free: unsafe fn(NonNull<Entry>),
}

/// The list of deferred frees: a `struct llist_head`.
struct List(Opaque<bindings::llist_head>);

// SAFETY: The list needs no lock: `llist` functions access it by atomic operations.
unsafe impl Sync for List {}

static LIST: List = List(Opaque::zeroed());

// SAFETY: The helper returns the static item with `kalloc_free_deferred`.
static WORK: StaticWork = unsafe { StaticWork::new(bindings::kalloc_helper_deferred_free) };

/// Frees all entries of the list.
///
/// # Safety
///
/// Only the workqueue may call this.
#[no_mangle]
unsafe extern "C" fn kalloc_free_deferred(_: *mut bindings::work_struct) {
    free_all();
}

/// Cancels the worker, and frees the remaining entries.
pub(crate) fn exit() {
    WORK.cancel();
    free_all();
}

/// Defers the free of `entry`: the worker calls `free` for it.
///
/// # Context
///
/// Any but NMI.
///
/// # Safety
///
/// - `entry` must be valid for writes and aligned, and no other code may use it until `free` is
///   called.
/// - `free` must be a function of this crate's module that may be called for it in process context.
#[inline(never)]
pub(crate) unsafe fn push(entry: NonNull<Entry>, free: unsafe fn(NonNull<Entry>)) {
    // SAFETY: `entry` is valid for writes, aligned and unused by the requirements of this function.
    // The list is static.
    let first = unsafe {
        entry.write(Entry {
            link: bindings::llist_node {
                next: core::ptr::null_mut(),
            },
            free,
        });
        bindings::kalloc_helper_llist_add(entry.as_ptr().cast(), LIST.0.get())
    };
    if first {
        WORK.schedule();
    }
}

/// Defers the free of a vmalloc block to the worker. The C helper that frees vmalloc blocks calls
/// this.
///
/// # Context
///
/// Any but NMI.
///
/// # Safety
///
/// - `ptr` must be a live vmalloc block of at least the size of an [`Entry`].
/// - No code may use the block afterwards.
#[no_mangle]
unsafe extern "C" fn kalloc_vfree_deferred(ptr: NonNull<c_void>) {
    // SAFETY: The block is live and no longer used, by the requirements of this function. A vmalloc
    // block is page-aligned, and has room for an entry.
    unsafe { push(ptr.cast(), vfree_entry) };
}

/// Frees the vmalloc block that begins with `entry`.
///
/// # Safety
///
/// - `entry` must be the start of a vmalloc block.
/// - The entry must not be on the list, and no code may use the block afterwards.
unsafe fn vfree_entry(entry: NonNull<Entry>) {
    // SAFETY: `entry` is the start of an unused vmalloc block that is no longer on the list, by the
    // requirements of this function.
    unsafe { bindings::vfree(entry.as_ptr().cast()) };
}

/// Frees all entries of the list. May sleep, and reschedules after each entry.
fn free_all() {
    // SAFETY: The list is static.
    let mut next = unsafe { bindings::kalloc_helper_llist_del_all(LIST.0.get()) };
    while let Some(entry) = NonNull::new(next.cast::<Entry>()) {
        // SAFETY: `push` requires entries to be valid until they are freed.
        let Entry { link, free } = unsafe { entry.read() };
        next = link.next;
        // SAFETY: `push` requires that `free` may be called for this entry in process context,
        // which this is.
        unsafe { free(entry) };
        // SAFETY: The caller is in process context, where rescheduling is allowed.
        unsafe { bindings::kalloc_helper_cond_resched() };
    }
}
