// SPDX-License-Identifier: GPL-2.0-only

//! Modules: the memory of their code, and notifications of their loading and unloading.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use crate::sys::bindings;
use core::{
    marker::PhantomData,
    ops::Range,
    ptr,
    ptr::NonNull, //
};
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

/// A module that is being loaded, is loaded, or is being unloaded (`struct module`).
///
/// # Examples
///
/// ```
/// use kalloc::trace::module;
///
/// let size = module::with(c"kalloc", |module| module.text().len());
/// assert!(size.is_some_and(|size| size > 0));
/// assert!(module::with(c"no_such_module", |_| ()).is_none());
///
/// // Its initialization is complete, and the code for that is gone.
/// let state = module::with(c"kalloc", |module| {
///     (
///         module.is_live(),
///         module.is_going(),
///         module.init_text().len(),
///     )
/// });
/// assert_eq!(state, Some((true, false, 0)));
/// ```
///
/// # Invariants
///
/// The memory of the module exists as long as this value.
pub struct Module<'a>(NonNull<bindings::module>, PhantomData<&'a ()>);

impl Module<'_> {
    /// Returns the name.
    pub fn name(&self) -> &str {
        // SAFETY: By the type invariants, the module exists. Its name is a NUL-terminated string.
        let name =
            unsafe { CStr::from_char_ptr(bindings::kalloc_helper_module_name(self.0.as_ptr())) };
        name.to_str().unwrap_or("?")
    }

    /// Returns the addresses of the module's code.
    pub fn text(&self) -> Range<usize> {
        self.memory(false)
    }

    /// Returns the addresses of the module's initialization code, which is freed when the module is
    /// loaded.
    pub fn init_text(&self) -> Range<usize> {
        self.memory(true)
    }

    fn memory(&self, init: bool) -> Range<usize> {
        let mut size = 0;
        // SAFETY: By the type invariants, the module exists.
        let base = unsafe { bindings::kalloc_helper_module_text(self.0.as_ptr(), init, &mut size) };
        base..base.saturating_add(size)
    }

    /// Returns true if the module is being unloaded.
    pub fn is_going(&self) -> bool {
        // SAFETY: By the type invariants, the module exists. The loader may be writing the state:
        // the read is volatile.
        let state = unsafe { (&raw const (*self.0.as_ptr()).state).read_volatile() };
        state == bindings::module_state_MODULE_STATE_GOING
    }

    /// Returns true if the module's initialization is complete.
    pub fn is_live(&self) -> bool {
        // SAFETY: By the type invariants, the module exists. The loader may be writing the state:
        // the read is volatile.
        let state = unsafe { (&raw const (*self.0.as_ptr()).state).read_volatile() };
        state == bindings::module_state_MODULE_STATE_LIVE
    }
}

/// Calls `f` with the module `name`, and returns its result. Returns `None` if there is no such
/// module.
///
/// The module may be going, but its memory is not freed during the call.
///
/// # Context
///
/// Process context; may sleep.
///
/// # Examples
///
/// ```
/// use kalloc::trace::module;
///
/// let name = module::with(c"kalloc", |module| module.name() == "kalloc");
/// assert_eq!(name, Some(true));
/// ```
pub fn with<R>(name: &CStr, f: impl FnOnce(&Module<'_>) -> R) -> Option<R> {
    // SAFETY: The name is a NUL-terminated string.
    let module = NonNull::new(unsafe { bindings::kalloc_helper_module_find(name.as_char_ptr()) })?;
    // INVARIANT: The reference to the module's kobject delays the free of the module's memory. It
    // is dropped after the call.
    let result = f(&Module(module, PhantomData));
    // SAFETY: The reference is owned, and the module is not used again.
    unsafe { bindings::kalloc_helper_module_put_kobject(module.as_ptr()) };
    Some(result)
}

/// A change of a module's state.
///
/// # Examples
///
/// ```
/// use kalloc::trace::module::Change;
///
/// fn runs(change: Change) -> bool {
///     change != Change::Going
/// }
///
/// assert!(runs(Change::Live));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The module is in memory. Its initialization follows.
    Coming,
    /// The module is initialized. The memory of its initialization code is about to be freed.
    Live,
    /// The module's code no longer runs. Its memory is about to be freed.
    Going,
}

/// A receiver of the changes of all modules.
///
/// # Context
///
/// Process context; may sleep. The loading or unloading of the module waits.
///
/// # Examples
///
/// ```
/// use kalloc::trace::module::{Change, Listener, Module};
/// use kernel::sync::atomic::{Atomic, Relaxed};
///
/// /// The number of modules that were loaded.
/// struct Loads(Atomic<u64>);
///
/// impl Listener for Loads {
///     fn changed(&self, change: Change, _module: &Module<'_>) {
///         if change == Change::Live {
///             self.0.fetch_add(1, Relaxed);
///         }
///     }
/// }
/// ```
pub trait Listener: Send + Sync + 'static {
    /// Handles a change.
    fn changed(&self, change: Change, module: &Module<'_>);
}

/// A registered [`Listener`] (`struct notifier_block`).
///
/// Dropping it unregisters the listener and waits until it has returned.
///
/// # Examples
///
/// ```no_run
/// use kalloc::trace::module::{Listener, Notifier};
///
/// fn listen<L: Listener>(listener: L) -> Result<Pin<KBox<Notifier<L>>>> {
///     // SAFETY: The module drops the notifier when it is unloaded.
///     KBox::try_pin_init(unsafe { Notifier::new(listener) }, GFP_KERNEL)
/// }
/// ```
#[pin_data(PinnedDrop)]
#[repr(C)]
pub struct Notifier<L: Listener> {
    // The first field: C passes its address, from which the callback finds the listener.
    #[pin]
    block: Opaque<bindings::notifier_block>,
    listener: L,
}

// SAFETY: Only the module loader accesses the block between registration and drop, and the listener
// is `Send`.
unsafe impl<L: Listener> Send for Notifier<L> {}
// SAFETY: Only the module loader accesses the block between registration and drop, and the listener
// is `Sync`.
unsafe impl<L: Listener> Sync for Notifier<L> {}

impl<L: Listener> Notifier<L> {
    /// Registers `listener`.
    ///
    /// # Safety
    ///
    /// The notifier must be dropped before the code of `L` is freed: it must not be leaked by a
    /// module that can be unloaded.
    ///
    /// # Context
    ///
    /// Process context; may sleep.
    pub unsafe fn new(listener: L) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            listener: listener,
            block <- Opaque::try_ffi_init(|slot: *mut bindings::notifier_block| {
                // SAFETY: `slot` is valid for writes, and pinned until `drop` unregisters it. The
                // listener, in the same value, is initialized.
                unsafe {
                    slot.write(bindings::notifier_block {
                        notifier_call: Some(changed::<L>),
                        next: ptr::null_mut(),
                        priority: 0,
                    });
                    to_result(bindings::kalloc_helper_add_module_notifier(slot))
                }
            }),
        })
    }

    /// Returns the listener.
    pub fn listener(&self) -> &L {
        &self.listener
    }
}

#[pinned_drop]
impl<L: Listener> PinnedDrop for Notifier<L> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: `new` has registered the block.
        unsafe { bindings::kalloc_helper_remove_module_notifier(self.block.get()) };
    }
}

/// Forwards a change of a module's state.
///
/// # Safety
///
/// - `block` must be that of a `Notifier<L>`.
/// - Only the module loader may call this, with the module whose state changes.
unsafe extern "C" fn changed<L: Listener>(
    block: *mut bindings::notifier_block,
    state: c_ulong,
    module: *mut c_void,
) -> c_int {
    const COMING: c_ulong = bindings::module_state_MODULE_STATE_COMING as c_ulong;
    const LIVE: c_ulong = bindings::module_state_MODULE_STATE_LIVE as c_ulong;
    const GOING: c_ulong = bindings::module_state_MODULE_STATE_GOING as c_ulong;

    let change = match state {
        COMING => Change::Coming,
        LIVE => Change::Live,
        GOING => Change::Going,
        _ => return 0,
    };
    if let Some(module) = NonNull::new(module.cast()) {
        // SAFETY: By the requirements of this function, the block is the first field of a
        // `Notifier<L>`.
        let notifier = unsafe { &*block.cast::<Notifier<L>>() };
        // INVARIANT: The module exists during the call, which the module loader waits for.
        notifier
            .listener
            .changed(change, &Module(module, PhantomData));
    }
    0
}
