// SPDX-License-Identifier: GPL-2.0-only

//! The registry: the list of registered sites.
//!
//! A site is on the list from the load of its module until the module is unloaded. The module
//! loader's notifier adds and removes it, so a driver neither registers nor unregisters sites. The
//! sites of the kernel image are on the list before the first initcall. Allocating and freeing never
//! take the list's mutex.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use crate::{
    accounting::{
        linked::{
            self,
            Row, //
        },
        param,
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
        static_mutex::StaticMutex,
        work::StaticWork, //
    }, //
};
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    ffi::{
        c_uint,
        c_ulong, //
    },
    prelude::*,
    rbtree::RBTree, //
};

// SAFETY: The helper returns a static mutex, which is only for this list.
static LIST: StaticMutex<List> = unsafe {
    StaticMutex::new(
        bindings::kalloc_helper_sites_mutex,
        List {
            entries: KVVec::new(),
            users: KVVec::new(),
            last_id: 0,
        },
    )
};

/// The list of sites, sorted by id.
struct List {
    entries: KVVec<Entry>,
    /// The modules that may use this one.
    users: KVVec<User>,
    last_id: u64,
}

impl List {
    /// Returns the index of the first entry at or after `id`, or the index at which it would be
    /// inserted.
    fn position(&self, id: u64) -> usize {
        // Ids are consecutive as long as no module with sites was unloaded.
        let first = self.entries.first().map_or(0, |e| e.id);
        let guess = id.saturating_sub(first) as usize;
        match self.entries.get(guess) {
            Some(entry) if entry.id == id => guess,
            _ => self.entries.partition_point(|e| e.id < id),
        }
    }
}

/// A module.
#[derive(Clone, Copy, PartialEq)]
struct User(*mut bindings::module);

// SAFETY: A module is not bound to a thread.
unsafe impl Send for User {}

/// A registered site.
struct Entry {
    /// The id, which grows with each registration and is never 0.
    id: u64,
    site: &'static Site,
    module: *mut bindings::module,
    counters: CounterMem,
    peak: Peak,
    /// The memory of the site of a driver's call.
    row: Option<KBox<Row>>,
}

// SAFETY: `module` is compared, and read only while the module exists; a module is not bound to a
// thread.
unsafe impl Send for Entry {}

/// The memory of a site's counters.
enum CounterMem {
    /// The counters of a site with a unit.
    Fixed(PerCpu<Counters>),
    /// The counters of a site without a unit.
    Sized(PerCpu<SizedCounters>),
}

/// High watermarks of a site: the largest live values that were sampled, by a reader of a file or
/// by the worker of [`watermark`](super::watermark).
#[derive(Clone, Copy, Default)]
pub(crate) struct Peak {
    pub(crate) live: u64,
    pub(crate) bytes: u64,
    pub(crate) allocated: u64,
}

/// A snapshot of a registered site.
pub(crate) struct Record<'a> {
    pub(crate) site: &'a Site,
    pub(crate) totals: Totals,
    pub(crate) peak: Peak,
}

/// Registers sites until the module that contains them is unloaded.
///
/// The module loader's notifier registers the sites of every module that is loaded, and an initcall
/// those of the kernel image, so a driver does not call this. For sites that are registered already,
/// it does nothing.
///
/// The module's use of its sites must have ended when its `exit` returns: it waits for its
/// callbacks and flushes its work items, as for all of its memory.
///
/// # Context
///
/// Process context; may sleep.
///
/// # Errors
///
/// - [`EINVAL`] if a site is not part of `module`.
/// - [`EEXIST`] if another site has the name of one of these sites. The log has the name.
/// - [`EAGAIN`] in a context known to be atomic.
/// - [`ENOMEM`] if there is no memory for the counters.
///
/// After an error, no further site is registered.
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
///         assert!(Rings::site().is_registered());
///         kalloc::register(module, SITES)?;
///         Ok(Driver)
///     }
/// }
/// # use kernel::Module;
/// # let _driver = Driver::init(crate::module())?;
/// # Ok::<(), Error>(())
/// ```
pub fn register(module: &'static ThisModule, sites: &[fn() -> &'static Site]) -> Result {
    if context::known_atomic() {
        return Err(EAGAIN);
    }
    // GFP: The caller selects no flags: a module registers its sites once, in process context.
    let mut found = KVVec::with_capacity(sites.len(), GFP_KERNEL)?;
    for site in sites {
        found.push(site(), GFP_KERNEL)?;
    }
    add(module.as_ptr(), &found)
}

/// Registers the sites of a module that is being loaded, before any of its code runs.
///
/// # Errors
///
/// The errors of [`register`].
///
/// # Safety
///
/// Only the module loader's notifier may call this, with the module whose state changes.
pub(crate) unsafe fn module_comes(module: *mut bindings::module) -> Result {
    let mut found = KVVec::new();
    // SAFETY: The module is loaded and stays so during the call. Its parameters do not change.
    for site in unsafe { param::sites(module) } {
        // GFP: The module loader calls this in process context.
        found.push(site, GFP_KERNEL)?;
    }
    // SAFETY: The module is being loaded, so its dependencies do not change.
    if unsafe { bindings::kalloc_helper_depends(module) } {
        LIST.lock().users.push(User(module), GFP_KERNEL)?;
    }
    if found.is_empty() {
        return Ok(());
    }
    add(module, &found).inspect_err(|_| LIST.lock().users.retain(|user| user.0 != module))
}

/// Registers the sites of the kernel image, before any initcall that may use them. Sites that cannot
/// be registered stay without a row, and the log has the reason.
///
/// # Safety
///
/// This crate must be built into the kernel.
#[cfg(not(MODULE))]
pub(crate) unsafe fn image_starts() {
    // SAFETY: By the requirement of this function.
    for site in unsafe { param::sites(ptr::null()) } {
        if let Err(error) = add(ptr::null_mut(), &[site]) {
            pr_err!(
                "{}: site {} is not registered ({error:?})\n",
                site.module(),
                site.name()
            );
        }
    }
}

/// Removes the call sites in the code for the initialization of a module, which is about to be
/// freed.
pub(crate) fn module_lives(module: *mut bindings::module) {
    let _list = LIST.lock();
    linked::remove(module, true);
}

/// Registers the row of a driver's call, unless it exists. For the worker, which may wait.
///
/// # Errors
///
/// - [`ENOENT`] if the call is not that of a module that uses this one.
/// - [`ENOMEM`] and [`ENOSPC`] if there is no memory or no slot for the row.
pub(crate) fn add_linked(ip: usize, family: c_uint) -> Result<NonNull<Row>> {
    add_row(&mut LIST.lock(), ip, family)
}

/// Like [`add_linked`], for the driver's call. It never waits for the list: a holder of the list
/// allocates, and this call may be part of the reclaim for that allocation.
///
/// # Errors
///
/// The errors of [`add_linked`], and [`EBUSY`] if the list is in use.
pub(crate) fn try_add_linked(ip: usize, family: c_uint) -> Result<NonNull<Row>> {
    add_row(&mut *LIST.try_lock().ok_or(EBUSY)?, ip, family)
}

fn add_row(list: &mut List, ip: usize, family: c_uint) -> Result<NonNull<Row>> {
    if let Some(row) = linked::find(ip) {
        return Ok(row);
    }
    let calls = |user: &&User| {
        // SAFETY: The modules on the list are loaded.
        unsafe { bindings::kalloc_helper_within_module(ip as c_ulong, user.0) }
    };
    let User(module) = *list.users.iter().find(calls).ok_or(ENOENT)?;
    if linked::is_full() {
        return Err(ENOSPC);
    }
    for number in 0..10 {
        // SAFETY: The entry keeps the row until it is removed from the list.
        let row = unsafe { Row::new(module, ip, family, number)? };
        if list
            .entries
            .iter()
            .any(|e| e.site.name() == row.site().name())
        {
            continue;
        }
        // GFP: The driver's call allows sleeping, or a worker creates the row.
        list.entries.reserve(1, GFP_KERNEL)?;
        let found = NonNull::from(&*row);
        // SAFETY: The entry has both the reference and the row.
        let mut entry = Entry::new(unsafe { &*ptr::from_ref(row.site()) }, module)?;
        // Before another CPU can find the row.
        // SAFETY: The entry owns the counters. It stays on the list until the module's code no
        // longer runs, see `module_goes`. After an error below, nobody has found the site.
        unsafe { entry.site.set_counters(entry.percpu_ptr()) };
        linked::insert(ip, &row)?;
        // OVERFLOW: 2^64 registrations do not happen.
        list.last_id += 1;
        entry.id = list.last_id;
        entry.row = Some(row);
        list.entries.push(entry, GFP_KERNEL)?;
        return Ok(found);
    }
    Err(EEXIST)
}

/// Adds sites of `module`, which is NULL or loaded, to the list.
fn add(module: *mut bindings::module, sites: &[&'static Site]) -> Result {
    // GFP: The caller selects no flags, see `register`. All steps that can fail come first. Once a
    // site has its own counters, they must stay: code of the module may be adding to them on
    // another CPU.
    let mut list = LIST.lock();
    let mut new = KVVec::with_capacity(sites.len(), GFP_KERNEL)?;
    let mut names = RBTree::new();
    for &site in sites {
        if !is_within(site, module) {
            return Err(EINVAL);
        }
        // Only this module can have registered its site.
        if site.is_registered() {
            continue;
        }
        match names.try_create_and_insert(site.name(), site, GFP_KERNEL)? {
            None => new.push(Entry::new(site, module)?, GFP_KERNEL)?,
            Some(other) => {
                if !ptr::eq(other.to_key_value().1, site) {
                    return Err(name_conflict(site, site));
                }
            }
        }
    }
    let mut entries = list.entries.iter();
    if let Some(other) = entries.find(|e| names.get(&e.site.name()).is_some()) {
        let site = names.get(&other.site.name()).copied();
        return Err(name_conflict(site.unwrap_or(other.site), other.site));
    }
    list.entries.reserve(new.len(), GFP_KERNEL)?;

    for mut entry in new {
        // OVERFLOW: 2^64 registrations do not happen.
        list.last_id += 1;
        entry.id = list.last_id;
        let (site, percpu) = (entry.site, entry.percpu_ptr());
        list.entries.push(entry, GFP_KERNEL)?;
        // SAFETY: The entry owns the counters. It stays on the list until the module's code no
        // longer runs, see `module_goes`.
        unsafe { site.set_counters(percpu) };
    }
    Ok(())
}

/// Returns true if `site` is a static of `module`, which is NULL or loaded.
fn is_within(site: &'static Site, module: *mut bindings::module) -> bool {
    let addr = ptr::from_ref(site) as c_ulong;
    // SAFETY: `module` is NULL or loaded, by the requirement of this function.
    unsafe { bindings::kalloc_helper_within_module_core(addr, module) }
}

/// Logs that a site cannot have its name, which `other` uses, and returns the error.
fn name_conflict(site: &Site, other: &Site) -> Error {
    pr_err!(
        "{}: the name {} is in use by a site of {}; rename one of the sites\n",
        site.module(),
        site.name(),
        other.module(),
    );
    EEXIST
}

impl Entry {
    fn new(site: &'static Site, module: *mut bindings::module) -> Result<Self> {
        // GFP: The caller selects no flags, see `register`.
        Ok(Entry {
            id: 0,
            site,
            module,
            counters: match site.unit() {
                0 => CounterMem::Sized(PerCpu::zeroed(GFP_KERNEL)?),
                _ => CounterMem::Fixed(PerCpu::zeroed(GFP_KERNEL)?),
            },
            peak: Peak::default(),
            row: None,
        })
    }

    /// Returns the per-CPU pointer to the counters.
    fn percpu_ptr(&self) -> *mut Counters {
        match &self.counters {
            CounterMem::Fixed(counters) => counters.as_ptr(),
            // `SizedCounters` begins with `Counters`.
            CounterMem::Sized(counters) => counters.as_ptr().cast(),
        }
    }

    /// Reads the counters, and raises the high watermarks.
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

/// The position of the header in a table of sites. The sites have larger positions.
pub(crate) const HEADER: u64 = 0;

/// Returns the position of the first row at or after `pos`, in a table with a header, or `None`.
/// See [`seek`].
pub(crate) fn seek_row(pos: u64) -> Option<u64> {
    match pos {
        HEADER => Some(HEADER),
        id => seek(id),
    }
}

/// Returns the id of the first entry at or after `id`, or `None`.
pub(crate) fn seek(id: u64) -> Option<u64> {
    let list = LIST.lock();
    let at = list.position(id);
    list.entries.get(at).map(|e| e.id)
}

/// Calls `f` with the record of the site `id`, and returns its result. Returns `None` if the site
/// is not registered. The site stays registered during the call.
pub(crate) fn with<R>(id: u64, f: impl FnOnce(&Record<'_>) -> R) -> Option<R> {
    let mut list = LIST.lock();
    let at = list.position(id);
    let entry = list.entries.get_mut(at).filter(|e| e.id == id)?;
    let totals = entry.sample();
    Some(f(&Record {
        site: entry.site,
        totals,
        peak: entry.peak,
    }))
}

/// Samples at most `count` of the sites after `id`. Returns the id of the last sampled site if
/// there are more, else `None`.
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
/// The requirements of [`CacheSlot::open`](crate::sys::kmem_cache::CacheSlot::open) apply.
///
/// # Errors
///
/// - [`EINVAL`] if the site is not registered, or the constructor is not part of the site's module.
/// - The errors of [`KmemCache::new`](crate::KmemCache::new).
pub(crate) unsafe fn open_cache(
    site: &'static Site,
    spec: Spec,
) -> Result<NonNull<bindings::kmem_cache>> {
    let list = LIST.lock();
    let mut entries = list.entries.iter();
    let entry = entries.find(|e| ptr::eq(e.site, site)).ok_or(EINVAL)?;
    // A constructor must exist as long as its cache, and must therefore be in the module that
    // contains the site. A constructor that another module instantiates for this site is in that
    // other module.
    if let Some(constructor) = spec.constructor {
        // SAFETY: The module is loaded, because it has sites on the list.
        if !unsafe {
            bindings::kalloc_helper_within_module_core(constructor as c_ulong, entry.module)
        } {
            return Err(EINVAL);
        }
    }
    // SAFETY: The parameters in `spec` are valid by the requirements of this function. The caller
    // of `open_cache` holds the lock of the list.
    unsafe { site.open_cache(spec) }
}

/// The worker that destroys orphaned slab caches and completes deferred frees of their objects. A
/// driver may drop a cache or free an object in atomic context.
// SAFETY: The helper returns the static item with `kalloc_reap_caches`.
static REAPER: StaticWork = unsafe { StaticWork::new(bindings::kalloc_helper_reaper) };

/// Schedules the destruction of a site's orphaned slab cache, which follows the free of its last
/// object.
pub(crate) fn orphan_cache(site: &'static Site) {
    site.cache().orphan();
    schedule_reaper();
}

/// Schedules the worker.
///
/// # Context
///
/// Any but NMI.
pub(crate) fn schedule_reaper() {
    REAPER.schedule();
}

/// Destroys the orphaned slab caches.
///
/// # Safety
///
/// Only the workqueue may call this.
#[no_mangle]
unsafe extern "C" fn kalloc_reap_caches(_: *mut bindings::work_struct) {
    let list = LIST.lock();
    delayed::free_all();
    for entry in &list.entries {
        entry.site.reap_cache();
    }
}

/// Cancels the worker, and frees the list, on which no site is left.
pub(crate) fn exit() {
    REAPER.cancel();
    linked::exit();
    let mut list = LIST.lock();
    delayed::free_all();
    list.entries = KVVec::new();
    list.users = KVVec::new();
}

/// Removes the sites of `module` from the list, after the last run of its code.
pub(crate) fn module_goes(module: *mut bindings::module) {
    let mut list = LIST.lock();
    list.users.retain(|user| user.0 != module);
    linked::remove(module, false);
    list.entries.retain(|entry| {
        if entry.module != module {
            return true;
        }
        // The module's code no longer runs, so nothing can allocate from a leaked cache. It is
        // destroyed if it is empty.
        entry.site.close_cache();
        report_leak(entry);
        // SAFETY: The counters of unregistered sites exist as long as this crate's module.
        unsafe { entry.site.set_counters(stats::unregistered()) };
        false
    });
}

/// Logs the live objects of a site whose module is unloaded.
fn report_leak(entry: &Entry) {
    let totals: Totals = entry.site.totals();
    if totals.live() == 0 {
        return;
    }
    let (module, name) = (entry.site.module(), entry.site.name());
    let (live, bytes) = (totals.live(), totals.live_bytes);
    if entry.row.is_some() {
        // A call site does not know the code that owns its blocks now.
        pr_warn!("{module}: {live} objects, {bytes} bytes of {name} are leaked, or given to other code\n");
    } else {
        pr_warn!(
            "{module}: site {name} leaks {live} objects, {bytes} bytes; they stay allocated until the next boot\n"
        );
    }
}
