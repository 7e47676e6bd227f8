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
use core::ptr;
use kernel::{
    error::to_result,
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    prelude::*,
    types::Opaque, //
};

/// The loaded module. Its fields are dropped in this order.
#[pin_data]
pub(crate) struct KallocModule {
    /// `/proc/kallocinfo`.
    #[pin]
    kallocinfo: procfs::ProcFile<kallocinfo::SlabInfo>,
    /// `/sys/kernel/debug/kalloc/sites`.
    #[pin]
    sites: debugfs::SeqFile<sites::Text>,
    /// `/sys/kernel/debug/kalloc/sites.json`.
    #[pin]
    sites_json: debugfs::SeqFile<sites::Json>,
    /// `/sys/kernel/debug/kalloc/`.
    _debugfs: debugfs::Root,
    /// The state of the layers below the files.
    #[pin]
    layers: Layers,
}

impl kernel::InPlaceModule for KallocModule {
    #[expect(clippy::clone_on_copy)] // Linux 7.2 has a reference to the parameter.
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // SAFETY: A module is initialized once, and this comes first.
            layers <- unsafe { Layers::new() },
            // SAFETY: A module is initialized once. No other module can call a function of this one
            // yet.
            _debugfs: unsafe { debugfs::Root::new() },
            sites <- debugfs::SeqFile::new(module, c"sites", sites::Text),
            sites_json <- debugfs::SeqFile::new(module, c"sites.json", sites::Json),
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

/// The initialized state of all layers, and the notifier of the module loader.
#[pin_data(PinnedDrop)]
struct Layers {
    #[pin]
    notifier: Opaque<bindings::notifier_block>,
}

// SAFETY: Only the module loader accesses the notifier block between registration and drop.
unsafe impl Send for Layers {}
// SAFETY: Only the module loader accesses the notifier block between registration and drop.
unsafe impl Sync for Layers {}

impl Layers {
    /// Initializes the layers, and registers the notifier.
    ///
    /// # Safety
    ///
    /// The caller must call this once, before it uses any other part of the module.
    unsafe fn new() -> impl PinInit<Self, Error> {
        // SAFETY: By the requirement of this function, each `init` is called once, and before any
        // other function of its file.
        unsafe {
            deferred_free::init();
            registry::init();
            watermark::init();
            owner::init();
        }
        try_pin_init!(Self {
            notifier <- Opaque::try_ffi_init(|slot: *mut bindings::notifier_block| {
                // SAFETY: `slot` is valid for writes, and pinned until `drop` unregisters it.
                unsafe {
                    slot.write(bindings::notifier_block {
                        notifier_call: Some(on_module_state),
                        next: ptr::null_mut(),
                        priority: 0,
                    });
                    to_result(bindings::register_module_notifier(slot))
                }
            }),
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Layers {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: `new` has registered the notifier.
        unsafe { bindings::unregister_module_notifier(self.notifier.get()) };
        // Each module with sites or files depends on this one, so none of them is loaded any more.
        // Only the memory of the lists and the work items are left.
        deferred_free::exit();
        watermark::exit();
        registry::exit();
        owner::exit();
    }
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
unsafe extern "C" fn on_module_state(
    _: *mut bindings::notifier_block,
    state: c_ulong,
    module: *mut c_void,
) -> c_int {
    if state == bindings::module_state_MODULE_STATE_GOING as c_ulong {
        owner::module_goes(module.cast());
        registry::module_goes(module.cast());
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
