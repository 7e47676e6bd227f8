// SPDX-License-Identifier: GPL-2.0-only

//! Contiguous single pages that are freed together: `free_pages_exact()`.
//!
//! C frees the pages one by one. After any of them, it may move some thousand pages from this CPU's
//! list to the zone at once, with interrupts disabled. In atomic context, the worker of
//! [`deferred_free`](crate::sys::deferred_free) therefore frees the pages.
//!
//! C header: [`include/linux/gfp.h`](srctree/include/linux/gfp.h)

use crate::sys::{
    bindings,
    context,
    deferred_free, //
};
use core::ptr::NonNull;
use kernel::page::PAGE_SIZE;

/// The maximum number of pages that are freed one by one in an unknown context. Without
/// `CONFIG_PREEMPT_COUNT`, a held spinlock cannot be detected.
const MAX_UNKNOWN: usize = 16;

/// Returns whether `pages` pages may be freed one by one in this context.
pub(super) fn may_be_freed(pages: usize) -> bool {
    context::known_sleepable() || pages <= MAX_UNKNOWN && !context::known_atomic()
}

/// A record of pages that wait to be freed, stored in the first of them.
#[repr(C)]
struct Waiting {
    entry: deferred_free::Entry,
    pages: usize,
}

/// Frees contiguous pages of order 0, immediately or by the worker.
///
/// # Context
///
/// Any but NMI.
///
/// # Safety
///
/// - `address` must be that of `pages` live pages of order 0 in the direct map, at least one.
/// - Nothing may use the pages afterwards.
pub(super) unsafe fn free(address: NonNull<u8>, pages: usize) {
    if may_be_freed(pages) {
        // SAFETY: The caller guarantees that the pages are live and that nothing uses them
        // afterwards.
        return unsafe { bindings::free_pages_exact(address.as_ptr().cast(), pages * PAGE_SIZE) };
    }
    let waiting = address.cast::<Waiting>();
    // SAFETY: The first page is aligned, has room for `Waiting`, and nothing else uses it.
    // `Waiting` begins with its entry, which stays untouched until the worker calls `free_waiting`
    // for it.
    unsafe {
        (&raw mut (*waiting.as_ptr()).pages).write(pages);
        deferred_free::push(waiting.cast(), free_waiting);
    }
}

/// Frees the pages that an entry describes.
///
/// # Safety
///
/// `entry` must be that of a [`Waiting`] that `free` has pushed.
unsafe fn free_waiting(entry: NonNull<deferred_free::Entry>) {
    let waiting = entry.cast::<Waiting>();
    // SAFETY: `free` has stored the number of pages there. The entry is no longer on the list, and
    // the pages are live until this call.
    unsafe {
        let pages = (&raw const (*waiting.as_ptr()).pages).read();
        bindings::free_pages_exact(waiting.as_ptr().cast(), pages * PAGE_SIZE);
    }
}
