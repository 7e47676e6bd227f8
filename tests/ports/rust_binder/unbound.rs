// SPDX-License-Identifier: GPL-2.0-only

//! The items that the kernel's bindings have only if the driver is built in. Its tracepoints do
//! nothing here.

#![allow(non_camel_case_types)]

pub(crate) type rust_binder_transaction = *mut kernel::ffi::c_void;

#[repr(C)]
pub(crate) struct rb_process_layout {
    pub(crate) arc_offset: usize,
    pub(crate) task: usize,
}

#[repr(C)]
pub(crate) struct rb_transaction_layout {
    pub(crate) debug_id: usize,
    pub(crate) code: usize,
    pub(crate) flags: usize,
    pub(crate) from_thread: usize,
    pub(crate) to_proc: usize,
    pub(crate) target_node: usize,
}

#[repr(C)]
pub(crate) struct rb_node_layout {
    pub(crate) arc_offset: usize,
    pub(crate) debug_id: usize,
    pub(crate) ptr: usize,
}

#[repr(C)]
pub(crate) struct rust_binder_layout {
    pub(crate) t: rb_transaction_layout,
    pub(crate) p: rb_process_layout,
    pub(crate) n: rb_node_layout,
}

macro_rules! declare_trace {
    ($($keyword:ident fn $name:ident($($arg:ident: $ty:ty),* $(,)?);)*) => { $(
        #[inline(always)]
        $keyword fn $name($(_: $ty),*) {}
    )* };
}
pub(crate) use declare_trace;
