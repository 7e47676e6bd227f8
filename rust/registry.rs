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
    reaper,
    site::Site,
    slab::Spec,
    stats::{
        self,
        Counters,
        Totals, //
    }, //
};
use core::ptr::{
    self,
    NonNull, //
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
    unsafe(uninit) static LIST: Mutex<List> = List { entries: KVec::new(), last_id: 0 };
}

/// The list, sorted by id.
struct List {
    entries: KVec<Entry>,
    last_id: u64,
}

/// A site on the list.
struct Entry {
    /// Grows with every registration. Never 0.
    id: u64,
    site: &'static Site,
    module: *mut bindings::module,
    counters: PerCpu<Counters>,
}

// SAFETY: `module` is compared and, while the module exists, read; it belongs to no thread.
unsafe impl Send for Entry {}

/// Puts sites on the list, until the module that they are part of is unloaded.
///
/// To be called first thing in the module's `init`: what is allocated for a site before is not
/// counted as the site's, but if it is freed afterwards, that is.
///
/// As everything of a module, its use of the sites must have ended when its `exit` returns: callbacks
/// are waited for, work items flushed.
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
    // All that can fail comes first. Once a site has counters, they must stay: code of the module
    // may be adding to them on another CPU.
    let mut new = KVec::with_capacity(sites.len(), GFP_KERNEL)?;
    for site in sites {
        new.push(Entry::new(site(), module)?, GFP_KERNEL)?;
    }

    let mut list = LIST.lock();
    let mut before = new.iter();
    while let Some(entry) = before.next_back() {
        let clashes = |other: &Entry| other.clashes(entry.site);
        if list.entries.iter().any(clashes) || before.clone().any(clashes) {
            return Err(EEXIST);
        }
    }
    list.entries.reserve(new.len(), GFP_KERNEL)?;

    for mut entry in new {
        // OVERFLOW: A registration for each nanosecond since the universe began fits.
        list.last_id += 1;
        entry.id = list.last_id;
        let (site, cookie) = (entry.site, entry.counters.as_ptr());
        list.entries.push(entry, GFP_KERNEL)?;
        // SAFETY: The entry owns the counters, and stays on the list until the module's code can
        // no longer run, see `on_module_state`.
        unsafe { site.set_counters(cookie) };
    }
    Ok(())
}

impl Entry {
    fn new(site: &'static Site, module: &'static ThisModule) -> Result<Self> {
        let module = module.as_ptr();
        let addr = ptr::from_ref(site) as c_ulong;
        // SAFETY: `module` is NULL or the caller's, which exists.
        if !unsafe { bindings::kalloc_helper_within_module_core(addr, module) } {
            return Err(EINVAL);
        }
        Ok(Entry {
            id: 0,
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
    let list = LIST.lock();
    let at = list.entries.partition_point(|e| e.id < id);
    list.entries.get(at).map(|e| e.id)
}

/// Calls `f` on the site with this id, if it is still there. It cannot go away meanwhile.
pub(crate) fn with<R>(id: u64, f: impl FnOnce(&Site) -> R) -> Option<R> {
    let list = LIST.lock();
    let at = list.entries.binary_search_by_key(&id, |e| e.id).ok()?;
    list.entries.get(at).map(|e| f(e.site))
}

/// Creates the slab cache of a site.
///
/// # Safety
///
/// As for [`CacheSlot::open`](crate::slab::CacheSlot::open).
///
/// # Errors
///
/// As [`KmemCache::new`](crate::KmemCache::new).
pub(crate) unsafe fn open_cache(
    site: &'static Site,
    spec: Spec,
) -> Result<NonNull<bindings::kmem_cache>> {
    let list = LIST.lock();
    if !list.entries.iter().any(|e| ptr::eq(e.site, site)) {
        return Err(EINVAL);
    }
    // SAFETY: By the requirements of this function.
    unsafe { site.cache().open(site, spec) }
}

/// Has the slab cache of a site destroyed, which has no owner and no objects any more.
pub(crate) fn orphan_cache(site: &'static Site) {
    site.cache().orphan();
    reaper::schedule();
}

/// Destroys the slab caches that have no owner.
pub(crate) fn reap_caches() {
    for entry in &LIST.lock().entries {
        entry.site.cache().reap(entry.site);
    }
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
        unsafe {
            LIST.init();
            reaper::init();
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
impl PinnedDrop for Registry {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered in `new`.
        unsafe { bindings::unregister_module_notifier(self.notifier.get()) };
        // Modules with sites depend on this one, so none is left; but the list has memory.
        reaper::cancel();
        LIST.lock().entries = KVec::new();
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
        LIST.lock().entries.retain(|entry| {
            if entry.module != module {
                return true;
            }
            // Nobody can allocate any more: a cache that was forgotten can go, if it is empty.
            entry.site.cache().close(entry.site);
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
