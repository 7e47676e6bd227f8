// SPDX-License-Identifier: GPL-2.0-only

//! The C symbols that this crate uses: the kernel crate's bindings and a supplement.
//!
//! All types are from [`kernel::bindings`]. A second run of bindgen (see `Kbuild` and
//! `rust/sys/bindings_helper.h`) adds only functions and constants. Code outside this crate cannot
//! use this module.

pub(crate) use kernel::bindings::*;

pub(crate) use generated::*;

/// Calls `alloc_pages_noprof()`, which is an inline C function on kernels without `CONFIG_NUMA`.
///
/// # Safety
///
/// `order` must be at most `MAX_PAGE_ORDER`.
#[cfg(not(CONFIG_NUMA))]
#[inline(always)]
pub(crate) unsafe fn alloc_pages_noprof(gfp: gfp_t, order: kernel::ffi::c_uint) -> *mut page {
    // SAFETY: `order` is at most `MAX_PAGE_ORDER` by the requirements of this function, and node 0
    // exists.
    unsafe { alloc_pages_node_noprof(0, gfp, order) }
}

#[allow(
    dead_code,
    improper_ctypes,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    clippy::all,
    clippy::undocumented_unsafe_blocks
)]
mod generated {
    /// The type of `kalloc_unregistered`: the counters of a site. Rust uses only its size.
    #[repr(C)]
    pub(crate) struct kalloc_counters([u64; KALLOC_COUNTERS as usize]);

    use kernel::{
        bindings::*,
        ffi, //
    };

    include!(env!("KALLOC_BINDINGS"));
}
