// SPDX-License-Identifier: GPL-2.0

//! The C symbols this crate uses: the kernel crate's own bindings, and what they leave out.
//!
//! Types always come from [`kernel::bindings`]; the second run of bindgen (see `Kbuild` and
//! `rust/bindings/`) adds functions and constants only. Nothing outside this crate reaches here.

pub(crate) use kernel::bindings::*;

pub(crate) use generated::*;

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
    // The type of `kalloc_unregistered`, which is written down twice: here by name, in
    // `rust/helpers/percpu.c` for C.
    use crate::stats::Counters as kalloc_counters;
    use kernel::{
        bindings::*,
        ffi, //
    };

    include!(env!("KALLOC_BINDINGS"));
}
