// SPDX-License-Identifier: GPL-2.0

//! Contiguous single pages, freed as one: `free_pages_exact()`.
//!
//! C frees them one by one, and after any of them may move some thousand pages from its list of this CPU to
//! the zone: with interrupts disabled, all at once. So the worker of [`deferred`](crate::sys::deferred_free) frees
//! what a caller drops who may not sleep.
//!
//! C header: [`include/linux/gfp.h`](srctree/include/linux/gfp.h)

use crate::sys::{
    bindings,
    context,
    deferred_free, //
};
use core::ptr::NonNull;
use kernel::page::PAGE_SIZE;

/// The most pages that are freed one by one where it is not known whether the caller may sleep: without
/// `CONFIG_PREEMPT_COUNT`, a spinlock leaves no trace.
const MAX_UNKNOWN: usize = 16;

/// Returns whether `pages` pages may be freed one by one here.
pub(super) fn may_be_freed(pages: usize) -> bool {
    context::known_sleepable() || pages <= MAX_UNKNOWN && !context::known_atomic()
}

/// Pages that wait to be freed, in the first of them.
#[repr(C)]
struct Waiting {
    entry: deferred_free::Entry,
    pages: usize,
}

/// Frees pages of order 0 that follow each other, here or by the worker.
///
/// # Context
///
/// Any but NMI.
///
/// # Safety
///
/// `address` must be that of `pages` live pages of order 0 in the direct mapping, at least one, which
/// nothing uses afterwards.
pub(super) unsafe fn free(address: NonNull<u8>, pages: usize) {
    if may_be_freed(pages) {
        // SAFETY: By the requirements of this function, the pages are live and nothing uses them.
        return unsafe { bindings::free_pages_exact(address.as_ptr().cast(), pages * PAGE_SIZE) };
    }
    let waiting = address.cast::<Waiting>();
    // SAFETY: The first page has room for what waits, is aligned, and nothing else uses it. `Waiting`
    // begins with its entry, which is left alone until the worker calls `free_waiting` for it.
    unsafe {
        (&raw mut (*waiting.as_ptr()).pages).write(pages);
        deferred_free::push(waiting.cast(), free_waiting);
    }
}

/// # Safety
///
/// `entry` must be that of a [`Waiting`] which `free` has pushed.
unsafe fn free_waiting(entry: NonNull<deferred_free::Entry>) {
    let waiting = entry.cast::<Waiting>();
    // SAFETY: `free` has put the pages' number there. The entry is not on the list any more, and the
    // pages are live until here.
    unsafe {
        let pages = (&raw const (*waiting.as_ptr()).pages).read();
        bindings::free_pages_exact(waiting.as_ptr().cast(), pages * PAGE_SIZE);
    }
}
