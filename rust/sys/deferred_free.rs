// SPDX-License-Identifier: GPL-2.0

//! Memory that is freed where sleeping is allowed.
//!
//! Unmapping sleeps, and freeing many pages takes long. But an owner may be dropped anywhere, also where
//! interrupts are disabled, and freeing must not fail for want of memory. So the memory that is to go is itself the entry of a list, which the worker of
//! [`reaper`] takes: soon, and at the latest when this module is unloaded. By then it has been
//! counted as freed; its site and its module need not be there any more.
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

/// An entry of the list, in memory that nobody uses for anything else any more.
#[repr(C)]
pub(crate) struct Entry {
    link: bindings::llist_node,
    free: unsafe fn(NonNull<Entry>),
}

/// The list.
struct List(Opaque<bindings::llist_head>);

// SAFETY: The list has no lock, but atomic operations.
unsafe impl Sync for List {}

static LIST: List = List(Opaque::zeroed());

static WORK: StaticWork = StaticWork::new(free_all);

/// Initializes the worker.
///
/// # Safety
///
/// Must be called once, before any other function here.
pub(crate) unsafe fn init() {
    // SAFETY: By the requirement of this function, this is the first use of the item.
    unsafe { WORK.init() };
}

/// Waits for the worker, and frees what it left.
pub(crate) fn exit() {
    WORK.cancel();
    free_all();
}

/// Has `free` called for `entry`, by the worker.
///
/// # Context
///
/// Any but NMI.
///
/// # Safety
///
/// - `entry` must be valid for writes, aligned, and used by nobody else until `free` is called.
/// - `free` must be a function of this crate's module that may be called for it in process context.
#[inline(never)]
pub(crate) unsafe fn push(entry: NonNull<Entry>, free: unsafe fn(NonNull<Entry>)) {
    // SAFETY: By the requirements of this function. The list is static.
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

/// Frees a vmalloc block by the worker, for the helper that frees them.
///
/// # Context
///
/// Any but NMI.
///
/// # Safety
///
/// `ptr` must be a live vmalloc block of the size of an [`Entry`] at least, which is not used any
/// more.
#[no_mangle]
unsafe extern "C" fn kalloc_vfree_deferred(ptr: NonNull<c_void>) {
    // SAFETY: By the requirement of this function; a vmalloc block begins with a page, and was
    // allocated with room for an entry.
    unsafe { push(ptr.cast(), vfree_entry) };
}

/// # Safety
///
/// The entry must be the start of a vmalloc block.
unsafe fn vfree_entry(entry: NonNull<Entry>) {
    // SAFETY: By the requirement of this function; the block is not on the list any more.
    unsafe { bindings::vfree(entry.as_ptr().cast()) };
}

/// Frees all that is on the list. May sleep, and lets others run after each entry.
fn free_all() {
    // SAFETY: The list is static.
    let mut next = unsafe { bindings::kalloc_helper_llist_del_all(LIST.0.get()) };
    while let Some(entry) = NonNull::new(next.cast::<Entry>()) {
        // SAFETY: Entries are valid until freed, as those who push them see to.
        let Entry { link, free } = unsafe { entry.read() };
        next = link.next;
        // SAFETY: By the requirements of `push`; this is process context.
        unsafe { free(entry) };
        // SAFETY: This is process context.
        unsafe { bindings::kalloc_helper_cond_resched() };
    }
}
