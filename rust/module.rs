// SPDX-License-Identifier: GPL-2.0-only

//! The module kalloc.ko: the order of initialization and cleanup of its parts, and the notifier for
//! the unload of other modules.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use crate::{
    accounting::{
        registry,
        watermark, //
    },
    fs::{
        debugfs,
        kallocinfo,
        owner,
        procfs,
        sites, //
    },
    module_parameters,
    sys::{
        bindings,
        deferred_free, //
    }, //
};
use kernel::{
    error::to_result,
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    prelude::*, //
};

/// The loaded module. Its fields are dropped in this order.
#[pin_data]
pub(crate) struct KallocModule {
    /// `/proc/kallocinfo`.
    #[pin]
    kallocinfo: procfs::ProcFile<kallocinfo::SlabInfo>,
    /// `/sys/kernel/debug/kalloc/sites`.
    #[pin]
    sites: debugfs::DebugfsFile<sites::Text>,
    /// `/sys/kernel/debug/kalloc/sites.json`.
    #[pin]
    sites_json: debugfs::DebugfsFile<sites::Json>,
    /// `/sys/kernel/debug/kalloc/`.
    _debugfs: debugfs::Root,
    /// The notifier of the module loader, and the state of all layers.
    _layers: Layers,
}

impl kernel::InPlaceModule for KallocModule {
    #[expect(clippy::clone_on_copy)] // Linux 7.2 has a reference to the parameter.
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _layers: Layers::new()?,
            _debugfs: debugfs::Root::new(),
            sites <- debugfs::DebugfsFile::new(module, c"sites", sites::Text),
            sites_json <- debugfs::DebugfsFile::new(module, c"sites.json", sites::Json),
            kallocinfo <- procfs::ProcFile::new(
                module,
                c"kallocinfo",
                procfs::Mode::OwnerRead,
                kallocinfo::SlabInfo,
            ),
            _: { watermark::start(module_parameters::sample_ms.value().clone()) },
        })
    }
}

/// Owner of the notifier of the module loader, and of the state of all layers.
///
/// The compiler initializes that state. Built into the kernel, all of this crate is usable before
/// the crate's own initcall, and after a failure of it. The notifier is then registered before the
/// first module is loaded, and stays registered.
struct Layers(());

impl Layers {
    /// Registers the notifier, unless this crate is built into the kernel.
    fn new() -> Result<Self> {
        if cfg!(MODULE) {
            // SAFETY: The module is loaded once, and `drop` unregisters the notifier.
            to_result(unsafe { bindings::kalloc_helper_register_module_notifier() })?;
        }
        Ok(Layers(()))
    }
}

impl Drop for Layers {
    fn drop(&mut self) {
        if !cfg!(MODULE) {
            return;
        }
        // SAFETY: `new` has registered the notifier.
        unsafe { bindings::kalloc_helper_unregister_module_notifier() };
        // Each module with sites or files depends on this one, so none of them is loaded any more.
        // Only the memory of the lists and the work items are left.
        deferred_free::exit();
        watermark::exit();
        registry::exit();
        owner::exit();
    }
}

/// Registers the sites of the kernel image. An error of one site does not concern the others.
///
/// # Safety
///
/// Only the kernel may call this, as an initcall.
#[cfg(not(MODULE))]
#[no_mangle]
unsafe extern "C" fn kalloc_register_image() -> c_int {
    // SAFETY: This crate is built into the kernel.
    unsafe { registry::image_starts() };
    0
}

/// Registers the sites of a module that is loaded, and removes its files and sites when it is
/// unloaded.
///
/// The module loader calls this on each state change of a module. `MODULE_STATE_COMING` precedes
/// the module's init function. If this function returns an error, the load fails with it.
/// `MODULE_STATE_GOING` follows the
/// return of the module's exit function, or the failure of its init function. By the kernel's
/// rules, none of the module's code runs any more, and all of its memory still exists.
///
/// # Safety
///
/// Only the module loader may call this, with the module whose state changes.
#[no_mangle]
unsafe extern "C" fn kalloc_module_state(
    _: *mut bindings::notifier_block,
    state: c_ulong,
    module: *mut c_void,
) -> c_int {
    if state == bindings::module_state_MODULE_STATE_GOING as c_ulong {
        owner::module_goes(module.cast());
        registry::module_goes(module.cast());
    }
    if state == bindings::module_state_MODULE_STATE_LIVE as c_ulong {
        registry::module_lives(module.cast());
    }
    if state == bindings::module_state_MODULE_STATE_COMING as c_ulong {
        // SAFETY: The module loader calls this, with a module that it is loading.
        return match unsafe { registry::module_comes(module.cast()) } {
            Ok(()) => 0,
            // For user space, EEXIST means that this module is already loaded.
            Err(EEXIST) => notifier_error(EBUSY),
            Err(error) => notifier_error(error),
        };
    }
    0
}

/// Returns an error as the result of a notifier (`notifier_from_errno()`).
fn notifier_error(error: Error) -> c_int {
    bindings::NOTIFY_STOP_MASK as c_int | (bindings::NOTIFY_OK as c_int - error.to_errno())
}
