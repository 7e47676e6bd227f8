// SPDX-License-Identifier: GPL-2.0-only

//! The sites of a module, as the module loader finds them.
//!
//! The loader locates the section `__param`, the table of a module's parameters, before any code of
//! the module runs. [`sites!`](crate::sites) adds an entry for each of its sites. Such an entry has
//! the operations [`OPS`] and the site as its argument. It has no file in `/sys`, and cannot be set.
//! In the kernel image, the linker collects the entries of all built-in code.
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h)

use crate::{
    accounting::site::Site,
    sys::bindings, //
};
use core::{
    ptr,
    slice, //
};
use kernel::{
    ffi::{
        c_char,
        c_int, //
    },
    prelude::*, //
};

/// The entry of a site (`struct kernel_param`).
///
/// # Invariants
///
/// The operations are [`OPS`], and the argument is a `&'static Site`.
#[repr(transparent)]
pub struct SiteParam(bindings::kernel_param);

// SAFETY: Nothing changes an entry.
unsafe impl Sync for SiteParam {}

impl SiteParam {
    /// Creates the entry of a site.
    // The kernel crate's `as_char_ptr` is not const.
    #[expect(clippy::disallowed_methods)]
    pub const fn new(site: &'static Site) -> Self {
        // INVARIANT: The operations and the argument are as required.
        SiteParam(bindings::kernel_param {
            name: c"kalloc_site".as_ptr().cast(),
            mod_: ptr::null_mut(),
            ops: &raw const OPS,
            perm: 0,
            level: -1,
            flags: 0,
            __bindgen_anon_1: bindings::kernel_param__bindgen_ty_1 {
                arg: ptr::from_ref(site).cast_mut().cast(),
            },
        })
    }
}

/// The operations by which an entry of a site is recognized.
pub static OPS: bindings::kernel_param_ops = bindings::kernel_param_ops {
    flags: 0,
    set: Some(refuse),
    get: None,
    free: None,
};

/// Refuses the value of a parameter named `kalloc_site`.
///
/// # Safety
///
/// There are no requirements.
unsafe extern "C" fn refuse(_: *const c_char, _: *const bindings::kernel_param) -> c_int {
    EINVAL.to_errno()
}

/// Returns an iterator over the sites of a module, or of the kernel image (NULL), without those of
/// blocks with `#![manual]`.
///
/// # Safety
///
/// - `module` must be loaded, and remain so while the iterator is used.
/// - NULL is allowed only if this crate is built into the kernel.
pub(crate) unsafe fn sites(module: *const bindings::module) -> impl Iterator<Item = &'static Site> {
    let mut count = 0;
    // SAFETY: The module is loaded or NULL, by the requirements of this function.
    let params = unsafe { bindings::kalloc_helper_params(module, &mut count) };
    let params = if params.is_null() {
        &[]
    } else {
        // SAFETY: There are `count` parameters at `params`, which stay as long as the module.
        unsafe { slice::from_raw_parts(params, count) }
    };
    let listed = params.iter().filter(|param| ptr::eq(param.ops, &OPS));
    // SAFETY: Only `SiteParam` has these operations, and by its invariants the argument is a site.
    listed.map(|param| unsafe { &*param.__bindgen_anon_1.arg.cast::<Site>() })
}
