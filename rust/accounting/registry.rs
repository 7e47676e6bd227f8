// SPDX-License-Identifier: GPL-2.0

//! The list of registered sites.
//!
//! A site is on the list from [`register`] until its module is gone: the kernel tells when, so
//! that nobody has to remember. The list's mutex is never needed to allocate or free.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use crate::{
    accounting::{
        site::Site,
        stats::{
            self,
            Counters,
            SizedCounters,
            Totals, //
        }, //
    },
    sys::{
        bindings,
        context,
        kmem_cache::{
            delayed,
            Spec, //
        },
        percpu::PerCpu,
        work::StaticWork, //
    }, //
};
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    ffi::c_ulong,
    prelude::*,
    rbtree::RBTree, //
};

kernel::sync::global_lock! {
    // SAFETY: `init`, which the module calls first, initializes it.
    unsafe(uninit) static LIST: Mutex<List> = List { entries: KVVec::new(), last_id: 0 };
}

/// The list, sorted by id.
struct List {
    entries: KVVec<Entry>,
    last_id: u64,
}

impl List {
    /// Returns where the first entry at or after `id` is, or would be.
    fn position(&self, id: u64) -> usize {
        // Where no module has gone yet, ids count the entries.
        let first = self.entries.first().map_or(0, |e| e.id);
        let guess = id.saturating_sub(first) as usize;
        match self.entries.get(guess) {
            Some(entry) if entry.id == id => guess,
            _ => self.entries.partition_point(|e| e.id < id),
        }
    }
}

/// A site on the list.
struct Entry {
    /// Grows with every registration. Never 0.
    id: u64,
    site: &'static Site,
    module: *mut bindings::module,
    counters: CounterMem,
    peak: Peak,
}

// SAFETY: `module` is compared and, while the module exists, read; it belongs to no thread.
unsafe impl Send for Entry {}

/// The memory of a site's counters.
enum CounterMem {
    /// Of a site that has a unit.
    Fixed(PerCpu<Counters>),
    /// Of one that has none.
    Sized(PerCpu<SizedCounters>),
}

/// The high watermarks: the most that was live whenever a reader of a file or the worker of
/// [`watermark`](super::watermark) sampled the site.
#[derive(Clone, Copy, Default)]
pub(crate) struct Peak {
    pub(crate) live: u64,
    pub(crate) bytes: u64,
    pub(crate) allocated: u64,
}

/// A site on the list, as it is now.
pub(crate) struct Record<'a> {
    pub(crate) site: &'a Site,
    /// The name of its module.
    pub(crate) module: &'a str,
    pub(crate) totals: Totals,
    pub(crate) peak: Peak,
}

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
/// - [`EAGAIN`] where sleeping is known not to be allowed.
/// - [`ENOMEM`] if there is no memory for the counters.
///
/// No site is registered then.
///
/// # Examples
///
/// ```
/// use kalloc::Tag;
///
/// kalloc::sites! {
///     Rings: pages, "doc_register";
/// }
///
/// struct Driver;
///
/// impl kernel::Module for Driver {
///     fn init(module: &'static ThisModule) -> Result<Self> {
///         kalloc::register(module, SITES)?;
///         Ok(Driver)
///     }
/// }
/// # use kernel::Module;
/// # let _driver = Driver::init(crate::module())?;
/// assert!(Rings::site().is_registered());
/// # Ok::<(), Error>(())
/// ```
pub fn register(module: &'static ThisModule, sites: &[fn() -> &'static Site]) -> Result {
    if context::known_atomic() {
        return Err(EAGAIN);
    }
    // GFP: There is no caller's choice: a module registers its sites once, where it may sleep.
    // All that can fail comes first. Once a site has counters, they must stay: code of the module
    // may be adding to them on another CPU.
    let mut new = KVVec::with_capacity(sites.len(), GFP_KERNEL)?;
    for site in sites {
        new.push(Entry::new(site(), module)?, GFP_KERNEL)?;
    }

    let mut names = RBTree::new();
    for entry in &new {
        let duplicate = names.try_create_and_insert(entry.site.name(), (), GFP_KERNEL)?;
        duplicate.map_or(Ok(()), |_| Err(EEXIST))?;
    }

    let mut list = LIST.lock();
    if list
        .entries
        .iter()
        .any(|e| names.get(&e.site.name()).is_some())
    {
        return Err(EEXIST);
    }
    list.entries.reserve(new.len(), GFP_KERNEL)?;

    for mut entry in new {
        // OVERFLOW: A registration for each nanosecond since the universe began fits.
        list.last_id += 1;
        entry.id = list.last_id;
        let (site, percpu) = (entry.site, entry.percpu_ptr());
        list.entries.push(entry, GFP_KERNEL)?;
        // SAFETY: The entry owns the counters, and stays on the list until the module's code can
        // no longer run, see `module_goes`.
        unsafe { site.set_counters(percpu) };
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
        // GFP: As in `register`.
        Ok(Entry {
            id: 0,
            site,
            module,
            counters: match site.unit() {
                0 => CounterMem::Sized(PerCpu::zeroed(GFP_KERNEL)?),
                _ => CounterMem::Fixed(PerCpu::zeroed(GFP_KERNEL)?),
            },
            peak: Peak::default(),
        })
    }

    /// The per-CPU pointer of the counters.
    fn percpu_ptr(&self) -> *mut Counters {
        match &self.counters {
            CounterMem::Fixed(counters) => counters.as_ptr(),
            // These begin with those.
            CounterMem::Sized(counters) => counters.as_ptr().cast(),
        }
    }

    /// The name of the site's module.
    fn module(&self) -> &str {
        // SAFETY: A module's memory is there until the entry has left the list.
        let name = unsafe { CStr::from_char_ptr(bindings::kalloc_helper_module_name(self.module)) };
        name.to_str().unwrap_or("?")
    }

    /// Reads the counters, and raises the peak.
    fn sample(&mut self) -> Totals {
        let totals = self.site.totals();
        let Peak {
            live,
            bytes,
            allocated,
        } = &mut self.peak;
        *live = totals.live().max(*live);
        *bytes = totals.live_bytes.max(*bytes);
        *allocated = totals.live_allocated.max(*allocated);
        totals
    }
}

/// Where the header of a table of sites is; sites have positions above it.
pub(crate) const HEADER: u64 = 0;

/// As [`seek`], in a table with a header.
pub(crate) fn seek_row(pos: u64) -> Option<u64> {
    match pos {
        HEADER => Some(HEADER),
        id => seek(id),
    }
}

/// Returns the position of the first entry at or after `id`, if there is one.
pub(crate) fn seek(id: u64) -> Option<u64> {
    let list = LIST.lock();
    let at = list.position(id);
    list.entries.get(at).map(|e| e.id)
}

/// Calls `f` on the site with this id, if it is still there. It cannot go away meanwhile.
pub(crate) fn with<R>(id: u64, f: impl FnOnce(&Record<'_>) -> R) -> Option<R> {
    let mut list = LIST.lock();
    let at = list.position(id);
    let entry = list.entries.get_mut(at).filter(|e| e.id == id)?;
    let totals = entry.sample();
    Some(f(&Record {
        site: entry.site,
        module: entry.module(),
        totals,
        peak: entry.peak,
    }))
}

/// Samples at most `count` of the sites that come after `id`. Returns the last one's id, if
/// there are more.
pub(crate) fn sample(id: u64, count: usize) -> Option<u64> {
    let mut list = LIST.lock();
    let from = list.position(id + 1);
    let rest = list.entries.get_mut(from..)?;
    let last = rest.get(count).and(rest.get(count - 1)).map(|e| e.id);
    for entry in rest.iter_mut().take(count) {
        entry.sample();
    }
    last
}

/// Creates the slab cache of a site.
///
/// # Safety
///
/// As for [`CacheSlot::open`](crate::sys::kmem_cache::CacheSlot::open).
///
/// # Errors
///
/// As [`KmemCache::new`](crate::KmemCache::new).
pub(crate) unsafe fn open_cache(
    site: &'static Site,
    spec: Spec,
) -> Result<NonNull<bindings::kmem_cache>> {
    let list = LIST.lock();
    let mut entries = list.entries.iter();
    let entry = entries.find(|e| ptr::eq(e.site, site)).ok_or(EINVAL)?;
    // A constructor must be there as long as the cache may be used, and so be of the module that the
    // site goes with. One that a module instantiates for another's site is its own.
    if let Some(constructor) = spec.constructor {
        // SAFETY: The module exists, having sites on the list.
        if !unsafe {
            bindings::kalloc_helper_within_module_core(constructor as c_ulong, entry.module)
        } {
            return Err(EINVAL);
        }
    }
    // SAFETY: By the requirements of this function.
    unsafe { site.open_cache(spec) }
}

/// Destroys the slab caches that have lost their owners, and frees the objects that were left to a worker:
/// a driver may give them up in atomic context.
static REAPER: StaticWork = StaticWork::new(reap_caches);

/// Schedules the destruction of a site's slab cache, which has lost its owner, after its last object.
pub(crate) fn orphan_cache(site: &'static Site) {
    site.cache().orphan();
    schedule_reaper();
}

/// Schedules the worker. For any context but NMI.
pub(crate) fn schedule_reaper() {
    REAPER.schedule();
}

fn reap_caches() {
    let list = LIST.lock();
    delayed::free_all();
    for entry in &list.entries {
        entry.site.reap_cache();
    }
}

/// Initializes the registry.
///
/// # Safety
///
/// Must be called once, before any other function here.
pub(crate) unsafe fn init() {
    // SAFETY: By the requirement of this function, both are unused.
    unsafe {
        LIST.init();
        REAPER.init();
    }
}

/// Waits for the worker, and frees the list, on which no site is left.
pub(crate) fn exit() {
    REAPER.cancel();
    let mut list = LIST.lock();
    delayed::free_all();
    list.entries = KVVec::new();
}

/// Takes the sites of `module` off the list, after its code ran for the last time.
pub(crate) fn module_goes(module: *mut bindings::module) {
    LIST.lock().entries.retain(|entry| {
        if entry.module != module {
            return true;
        }
        // Nobody can allocate any more: a cache that was forgotten can go, if it is empty.
        entry.site.close_cache();
        report_leak(entry);
        // SAFETY: The counters of unregistered sites live as long as this crate.
        unsafe { entry.site.set_counters(stats::unregistered()) };
        false
    });
}

/// Says in the log what a site leaves behind.
fn report_leak(entry: &Entry) {
    let totals: Totals = entry.site.totals();
    if totals.live() == 0 {
        return;
    }
    pr_warn!(
        "{}: site {} leaks {} objects, {} bytes; they stay allocated until the next boot\n",
        entry.module(),
        entry.site.name(),
        totals.live(),
        totals.live_bytes,
    );
}
