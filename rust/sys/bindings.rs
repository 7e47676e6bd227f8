// SPDX-License-Identifier: GPL-2.0

//! The C symbols this crate uses: the kernel crate's own bindings, and what they leave out.
//!
//! Types always come from [`kernel::bindings`]; the second run of bindgen (see `Kbuild` and
//! `rust/bindings/`) adds functions and constants only. Nothing outside this crate reaches here.

pub(crate) use kernel::bindings::*;

pub(crate) use generated::*;

/// `alloc_pages_noprof()`, which is an inline function in C where there is one node only.
///
/// # Safety
///
/// `order` must be at most `MAX_PAGE_ORDER`.
#[cfg(not(CONFIG_NUMA))]
#[inline(always)]
pub(crate) unsafe fn alloc_pages_noprof(gfp: gfp_t, order: kernel::ffi::c_uint) -> *mut page {
    // SAFETY: By the requirements of this function; node 0 exists.
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
    /// The type of `kalloc_unregistered`: the counters of a site, of which only the size matters here.
    #[repr(C)]
    pub(crate) struct kalloc_counters([u64; KALLOC_COUNTERS as usize]);

    use kernel::{
        bindings::*,
        ffi, //
    };

    include!(env!("KALLOC_BINDINGS"));
}
