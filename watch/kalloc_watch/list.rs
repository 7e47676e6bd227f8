// SPDX-License-Identifier: GPL-2.0-only

//! The watch list: the watched code.
//!
//! One mutex protects the list and the names of the sites. Its holder alone replaces the view of the
//! probes, and registers and unregisters the probes.
//!
//! The names of a module's functions exist as long as its code: those of its initialization until it
//! is live, the others until it is going. The list receives both changes, and then resolves the
//! names of all sites in that code. If the module is loaded again, its sites get their new
//! addresses, as far as their names are the same.

use crate::{
    counting::Counting,
    modules::{
        Code,
        Modules, //
    },
    names::{
        Grouping,
        Label,
        Name, //
    },
    probes::Probes,
    rows::{
        By,
        Rows,
        Section, //
    },
    sites::{
        Totals,
        GONE, //
    },
    view::{
        View,
        Views, //
    }, //
};
use core::ops::Range;
use kalloc::{
    prelude::*,
    trace::{
        self,
        module::{
            Change,
            Listener,
            Module, //
        },
        symbol, //
    }, //
};
use kernel::{
    new_mutex,
    str::CString,
    sync::{
        Arc,
        Mutex, //
    }, //
};

kalloc::sites! {
    /// The entries of the watch list.
    pub(crate) Entries: kmalloc([Entry]), "watch_list";
}

/// The watch list, with the state of the probes.
#[pin_data]
pub(crate) struct WatchList {
    pub(crate) counting: Arc<Counting>,
    #[pin]
    list: Mutex<List>,
}

/// An entry of the list.
pub(crate) struct Entry {
    name: CString,
    what: What,
}

enum What {
    /// A module, with its code while it is loaded.
    Module(Code),
    /// Built-in code.
    Addresses(Range<usize>),
    /// The whole kernel and all modules.
    All,
}

struct List {
    entries: KVec<Entry, Entries>,
    modules: Modules,
    rows: Rows,
    probes: Option<Probes>,
}

/// A row of the table.
pub(crate) struct Row<'a> {
    pub(crate) name: &'a str,
    pub(crate) totals: Totals,
}

/// A row of sites with the same name, with the full name of the first one.
pub(crate) struct SiteRecord<'a> {
    pub(crate) label: &'a Label,
    pub(crate) name: Name,
    /// The name of the code that contains the site, and the offset in it.
    pub(crate) section: &'static str,
    pub(crate) at: usize,
    pub(crate) is_loaded: bool,
    pub(crate) totals: Totals,
}

/// The state of an entry.
pub(crate) struct State<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: &'static str,
    pub(crate) state: &'static str,
    /// The number of bytes of watched code.
    pub(crate) code: usize,
}

/// The state of the probes.
pub(crate) struct Summary {
    pub(crate) probes: &'static str,
    pub(crate) grouping: &'static str,
    pub(crate) lost: u64,
    pub(crate) live: u64,
}

impl WatchList {
    /// The name of the code that is in no module.
    pub(crate) const BUILT_IN: &'static str = "vmlinux";

    /// The largest number of entries.
    const MAX_ENTRIES: usize = 64;

    /// Creates an empty list.
    pub(crate) fn new(counting: Counting) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let rows = Rows::new(counting.sites.capacity())?;
            Ok(try_pin_init!(Self {
                // GFP: The module's initialization sleeps.
                counting: Arc::new(counting, GFP_KERNEL)?,
                list <- new_mutex!(List {
                    entries: KVec::new(),
                    modules: Modules::new(),
                    rows,
                    probes: None,
                }),
            }? Error))
        })
    }

    /// Adds a module, loaded or not, or with the name `all`, everything.
    pub(crate) fn add(&self, name: &str) -> Result {
        let name = module_name(name)?;
        let mut list = self.list.lock();
        list.check_new(&name)?;
        let what = match name.to_bytes() {
            b"all" => What::All,
            _ => What::Module(list.modules.running(&name).unwrap_or_default()),
        };
        self.insert(&mut list, Entry { name, what })
    }

    /// Adds the addresses of built-in code.
    pub(crate) fn add_addresses(&self, name: &str, addresses: Range<usize>) -> Result {
        // Other code may later have the addresses of a module.
        if addresses.is_empty()
            || !is_built_in(addresses.start)?
            || !is_built_in(addresses.end - 1)?
        {
            return Err(EINVAL);
        }
        let name = module_name(name)?;
        let mut list = self.list.lock();
        list.check_new(&name)?;
        let what = What::Addresses(addresses);
        self.insert(&mut list, Entry { name, what })
    }

    /// Removes an entry. Blocks that are in the table stay there until they are freed; with the last
    /// entry, all counters are dropped.
    pub(crate) fn remove(&self, name: &str) -> Result {
        let name = module_name(name)?;
        let mut list = self.list.lock();
        let before = list.entries.len();
        list.entries.retain(|entry| *entry.name != *name);
        if list.entries.len() == before {
            return Err(ENOENT);
        }
        self.apply(&mut list)
    }

    /// Removes all entries.
    pub(crate) fn clear(&self) -> Result {
        let mut list = self.list.lock();
        list.entries.clear();
        self.apply(&mut list)
    }

    /// Selects the parts that share a row.
    pub(crate) fn group(&self, grouping: Grouping) -> Result {
        self.list.lock().rows.group(grouping);
        Ok(())
    }

    /// Adds an entry.
    fn insert(&self, list: &mut List, entry: Entry) -> Result {
        // The error is of the command, and not of a module that arrives later.
        trace::supported()?;
        // GFP: Commands sleep.
        list.entries.push(entry, GFP_KERNEL)?;
        self.apply(list).inspect_err(|_| {
            list.entries.pop();
            // The error is that of the first call.
            let _ = self.apply(list);
        })
    }

    /// Applies a change of the entries. Nothing is watched if that fails.
    fn apply(&self, list: &mut List) -> Result {
        self.publish(list)
            .inspect_err(|_| self.counting.view.set(None))?;
        self.tune(list)
    }

    /// Gives the probes a view of the current entries and sites, and waits until none uses the old
    /// one.
    fn publish(&self, list: &List) -> Result {
        let mut ranges = KVec::with_capacity(2 * list.entries.len(), GFP_KERNEL)?;
        for entry in &list.entries {
            match &entry.what {
                What::Module(code) => {
                    for range in code.ranges() {
                        ranges.push(range.clone(), GFP_KERNEL)?;
                    }
                }
                What::Addresses(range) => ranges.push(range.clone(), GFP_KERNEL)?,
                What::All => ranges.push(0..usize::MAX, GFP_KERNEL)?,
            }
        }
        if ranges.is_empty() {
            self.counting.view.set(None);
            return Ok(());
        }
        let sites = &self.counting.sites;
        let view = View::new(ranges, sites.capacity())?;
        for site in 0..sites.count() {
            // CAST: Site numbers have 16 bits.
            let site = site as u16;
            let address = sites.address(site);
            if address > GONE {
                view.insert(address, site);
            }
        }
        self.counting
            .view
            .set(Some(KBox::<View, Views>::new(view, GFP_KERNEL)?));
        Ok(())
    }

    /// Registers the probes if there is something to count, and otherwise unregisters them.
    fn tune(&self, list: &mut List) -> Result {
        let watches = list.entries.iter().any(|entry| match &entry.what {
            What::Module(code) => code.len() > 0,
            What::Addresses(_) | What::All => true,
        });
        if watches {
            if list.probes.is_none() {
                // SAFETY: `stop` drops the probes.
                list.probes = Some(unsafe { Probes::new(&self.counting)? });
            }
        } else if list.entries.is_empty() || self.counting.blocks.count() == 0 {
            list.probes = None;
        }
        if list.entries.is_empty() {
            // No probe runs any more.
            self.counting.blocks.clear();
            self.counting.sites.clear();
            list.rows.clear();
        }
        Ok(())
    }

    /// Unregisters the probes.
    pub(crate) fn stop(&self) {
        let mut list = self.list.lock();
        list.entries.clear();
        list.probes = None;
        self.counting.view.set(None);
    }

    /// Resolves the names of new sites.
    fn resolve(&self, list: &mut List) -> Result {
        let List { rows, modules, .. } = list;
        rows.resolve(&self.counting.sites, modules)
    }

    /// Calls `f` with each entry.
    pub(crate) fn with_entry<R>(&self, nth: usize, f: impl FnOnce(&State<'_>) -> R) -> Option<R> {
        let list = self.list.lock();
        let entry = list.entries.get(nth)?;
        let (kind, state, code) = match &entry.what {
            What::Module(code) => {
                let state = if code.len() > 0 { "loaded" } else { "waiting" };
                ("module", state, code.len())
            }
            What::Addresses(range) => ("addresses", "loaded", range.len()),
            What::All => ("all", "loaded", 0),
        };
        Some(f(&State {
            name: entry.name.to_str().unwrap_or("?"),
            kind,
            state,
            code,
        }))
    }

    /// Returns the number of entries.
    pub(crate) fn entries(&self) -> usize {
        self.list.lock().entries.len()
    }

    /// Returns the state of the probes.
    pub(crate) fn summary(&self) -> Summary {
        let mut list = self.list.lock();
        // The last blocks of unloaded modules may have been freed.
        let _ = self.tune(&mut list);
        let mut sum = Totals::default();
        for site in 0..self.counting.sites.count() {
            // CAST: Site numbers have 16 bits.
            sum.add(&self.counting.sites.totals(site as u16));
        }
        let grouping = Grouping::ALL.iter().find(|(_, g)| *g == list.rows.grouping);
        Summary {
            probes: match &list.probes {
                None => "off",
                Some(probes) if probes.has_fprobes => "on",
                Some(_) => "tracepoints",
            },
            grouping: grouping.map_or("", |(name, _)| name),
            lost: sum.lost,
            live: sum.live(),
        }
    }

    /// Returns the number of the first site of a row, at or after `from`.
    pub(crate) fn seek(&self, from: usize, by: By) -> Option<usize> {
        let mut list = self.list.lock();
        // Sites for whose names there is no memory are shown later.
        let _ = self.resolve(&mut list);
        list.rows.seek(from, by)
    }

    /// Calls `f` with the row of the table that begins with a site.
    pub(crate) fn with_row<R>(&self, head: usize, f: impl FnOnce(&Row<'_>) -> R) -> Option<R> {
        let list = self.list.lock();
        Some(f(&Row {
            name: list.rows.name(head, By::Shown)?.as_str(),
            totals: list.rows.totals(head, By::Shown, &self.counting.sites),
        }))
    }

    /// Calls `f` with the row by site that begins with a site.
    pub(crate) fn with_site<R>(
        &self,
        head: usize,
        f: impl FnOnce(&SiteRecord<'_>) -> R,
    ) -> Option<R> {
        let list = self.list.lock();
        let named = list.rows.get(head)?;
        Some(f(&SiteRecord {
            label: &named.label,
            name: list.rows.name(head, By::Site)?,
            section: match named.section {
                Section::BuiltIn => "built-in",
                Section::Text => "text",
                Section::InitText => "init",
            },
            at: named.at,
            is_loaded: !named.is_retired,
            totals: list.rows.totals(head, By::Site, &self.counting.sites),
        }))
    }
}

impl List {
    /// Fails if there is an entry of that name, or no room for another one.
    fn check_new(&self, name: &CStr) -> Result {
        if self.entries.iter().any(|entry| *entry.name == *name) {
            return Err(EEXIST);
        }
        if self.entries.len() >= WatchList::MAX_ENTRIES {
            return Err(ENOSPC);
        }
        Ok(())
    }
}

/// Returns true if an address is in a function of the kernel itself.
fn is_built_in(address: usize) -> Result<bool> {
    symbol::with(address, |symbol| symbol.size > 0 && symbol.module.is_none())
}

/// Returns the name of a module: dashes are underscores in the kernel.
fn module_name(name: &str) -> Result<CString> {
    const MAX_LENGTH: usize = 55;
    let is_valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > MAX_LENGTH || !name.chars().all(is_valid) {
        return Err(EINVAL);
    }
    let mut bytes = [0; MAX_LENGTH];
    for (to, from) in bytes.iter_mut().zip(name.bytes()) {
        *to = if from == b'-' { b'_' } else { from };
    }
    let name = core::str::from_utf8(bytes.get(..name.len()).unwrap_or_default());
    CString::try_from_fmt(fmt!("{}", name.map_err(|_| EINVAL)?))
}

/// The receiver of the changes of modules.
pub(crate) struct ModuleListener(pub(crate) Arc<WatchList>);

impl Listener for ModuleListener {
    fn changed(&self, change: Change, module: &Module<'_>) {
        let watch = &self.0;
        let mut list = watch.list.lock();
        let code = Code::of(module);
        let is_it = |entry: &&mut Entry| entry.name.to_bytes() == module.name().as_bytes();
        if let Some(Entry {
            what: What::Module(watched),
            ..
        }) = list.entries.iter_mut().find(is_it)
        {
            *watched = match change {
                Change::Coming => code.clone(),
                Change::Live => Code {
                    text: code.text.clone(),
                    init_text: 0..0,
                },
                Change::Going => Code::default(),
            };
        }
        let List { modules, rows, .. } = &mut *list;
        if change == Change::Coming {
            if modules.begin(module).is_err() {
                pr_warn!(
                    "{}: no memory; added later, its start is not watched\n",
                    module.name()
                );
            }
            rows.revive(&watch.counting.sites, module);
        }
        if let Err(error) = watch.apply(&mut list) {
            pr_err!("{}: not watched ({error:?})\n", module.name());
        }
        // An asynchronous function of the module may still run, but no probe has a range of it.
        let going = match change {
            Change::Coming => return,
            Change::Live => Code { text: 0..0, ..code },
            Change::Going => code,
        };
        let List { modules, rows, .. } = &mut *list;
        rows.retire(&watch.counting.sites, modules, &going);
        modules.end(module);
    }
}
