// SPDX-License-Identifier: GPL-2.0

//! The list of registered sites.
//!
//! A site is on the list from [`register`] until its module is gone: the kernel tells when, so
//! that nobody has to remember. The list's mutex is never needed to allocate or free.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use crate::{
    bindings,
    percpu::PerCpu,
    site::Site,
    stats::{
        self,
        Counters,
        Totals, //
    }, //
};
use core::{
    ptr, //
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

kernel::sync::global_lock! {
    // SAFETY: `Registry::new`, the first thing that the module does, initialises it.
    unsafe(uninit) static ENTRIES: Mutex<KVec<Entry>> = KVec::new();
}

/// A site on the list.
struct Entry {
    /// Grows with every registration, and so sorts the list. Never 0.
    id: u64,
    site: &'static Site,
    module: *mut bindings::module,
    counters: PerCpu<Counters>,
}

// SAFETY: `module` is compared and, while the module exists, read; it belongs to no thread.
unsafe impl Send for Entry {}

/// Puts sites on the list, until the module that they are part of is unloaded.
///
/// To be called first thing in the module's `init`: what is allocated for a site before, is not
/// counted as the site's.
///
/// # Context
///
/// Process context; may sleep.
///
/// # Errors
///
/// - [`EINVAL`] if a site is not part of `module`.
/// - [`EEXIST`] if a site is registered already, or another one has its name.
/// - [`ENOMEM`] if there is no memory for the counters.
///
/// No site is registered then.
pub fn register(module: &'static ThisModule, sites: &[fn() -> &'static Site]) -> Result {
    let mut entries = ENTRIES.lock();
    // All that can fail comes first. Once a site has counters, they must stay: code of the module
    // may be adding to them on another CPU.
    let mut new = KVec::with_capacity(sites.len(), GFP_KERNEL)?;
    for site in sites {
        let site = site();
        let taken = |e: &Entry| e.clashes(site);
        if entries.iter().any(taken) || new.iter().any(taken) {
            return Err(EEXIST);
        }
        let id = new.last().or(entries.last()).map_or(0, |e| e.id) + 1;
        new.push(Entry::new(id, site, module)?, GFP_KERNEL)?;
    }
    entries.reserve(new.len(), GFP_KERNEL)?;

    for entry in new {
        let (site, cookie) = (entry.site, entry.counters.as_ptr());
        entries.push(entry, GFP_KERNEL)?;
        // SAFETY: The entry owns the counters, and stays on the list until the module's code can
        // no longer run, see `on_module_state`.
        unsafe { site.set_counters(cookie) };
    }
    Ok(())
}

impl Entry {
    fn new(id: u64, site: &'static Site, module: &'static ThisModule) -> Result<Self> {
        let module = module.as_ptr();
        let addr = ptr::from_ref(site) as c_ulong;
        // SAFETY: `module` is NULL or the caller's, which exists.
        if !unsafe { bindings::kalloc_helper_within_module(addr, module) } {
            return Err(EINVAL);
        }
        Ok(Entry {
            id,
            site,
            module,
            counters: PerCpu::zeroed()?,
        })
    }

    fn clashes(&self, site: &Site) -> bool {
        ptr::eq(self.site, site) || self.site.name() == site.name()
    }
}

/// Returns the position of the first entry at or after `id`, if there is one.
pub(crate) fn seek(id: u64) -> Option<u64> {
    let entries = ENTRIES.lock();
    let at = entries.partition_point(|e| e.id < id);
    entries.get(at).map(|e| e.id)
}

/// Calls `f` on the site with this id, if it is still there. It cannot go away meanwhile.
pub(crate) fn with<R>(id: u64, f: impl FnOnce(&Site) -> R) -> Option<R> {
    let entries = ENTRIES.lock();
    let at = entries.binary_search_by_key(&id, |e| e.id).ok()?;
    entries.get(at).map(|e| f(e.site))
}

/// The list's connection to the module loader: exists once, in this crate's module.
#[pin_data(PinnedDrop)]
pub(crate) struct Registry {
    #[pin]
    notifier: Opaque<bindings::notifier_block>,
}

// SAFETY: The notifier block is not touched between registration and drop.
unsafe impl Send for Registry {}
// SAFETY: As above.
unsafe impl Sync for Registry {}

impl Registry {
    /// Starts to watch modules go.
    ///
    /// # Safety
    ///
    /// Must be called once, before anything else in this file.
    pub(crate) unsafe fn new() -> impl PinInit<Self, Error> {
        // SAFETY: Once, and first, by the requirement of this function.
        unsafe { ENTRIES.init() };
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
impl PinnedDrop for Registry {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered in `new`.
        unsafe { bindings::unregister_module_notifier(self.notifier.get()) };
        // Modules with sites depend on this one, so none is left; but the list has memory.
        *ENTRIES.lock() = KVec::new();
    }
}

/// Called by the module loader when a module's state changes.
///
/// `MODULE_STATE_GOING` comes after the module's exit function has returned, or its init function
/// has failed: by the kernel's own rules, none of its code runs any more, and all of its memory is
/// still there.
///
/// # Safety
///
/// For the module loader only, with the module in question.
unsafe extern "C" fn on_module_state(
    _: *mut bindings::notifier_block,
    state: c_ulong,
    module: *mut c_void,
) -> c_int {
    if state == bindings::module_state_MODULE_STATE_GOING as c_ulong {
        let module = module.cast();
        ENTRIES.lock().retain(|entry| {
            if entry.module != module {
                return true;
            }
            report_leak(entry);
            // SAFETY: The counters of unregistered sites live as long as this crate.
            unsafe { entry.site.set_counters(stats::unregistered()) };
            false
        });
    }
    0
}

/// Says in the log what a site leaves behind.
fn report_leak(entry: &Entry) {
    let totals: Totals = entry.site.totals();
    if totals.live() == 0 {
        return;
    }
    // SAFETY: The module's memory is there until the notifier returns.
    let module = unsafe { CStr::from_char_ptr(bindings::kalloc_helper_module_name(entry.module)) };
    pr_warn!(
        "{}: site {} leaks {} objects, {} bytes; they stay allocated until the next boot\n",
        module,
        entry.site.name(),
        totals.live(),
        totals.live_bytes,
    );
}
