// SPDX-License-Identifier: GPL-2.0-only

//! The watch list: what is watched, and the names of the sites.
//!
//! One mutex protects the list. Its holder alone replaces the view of the probes, and registers and
//! unregisters the probes.
//!
//! The names of a module's functions exist as long as its code: those of its initialization until it
//! is live, the others until it is going. The list receives both changes, and then resolves the
//! names of all sites in that code. If the module is loaded again, its sites get their new
//! addresses, as far as their names are the same.

use crate::{
    counting::Counting,
    names::{
        Grouping,
        Label,
        Name, //
    },
    probes::Probes,
    sites::Totals,
    view::{
        View,
        Views, //
    }, //
};
use core::ops::Range;
use kalloc::{
    prelude::*,
    trace::{
        module::{
            self,
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
    /// The names of the sites.
    pub(crate) Labels: kvmalloc([Option<Named>]), "watch_labels";
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
    Module {
        text: Option<Range<usize>>,
        init_text: Option<Range<usize>>,
    },
    /// Built-in code.
    Addresses(Range<usize>),
    /// The whole kernel and all modules.
    All,
}

/// The code of a module to which an address belongs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    BuiltIn,
    Text,
    InitText,
}

/// The name of a site.
pub(crate) struct Named {
    label: Label,
    section: Section,
    /// The offset of the address in its section.
    at: usize,
    /// True if the code at the site's address is gone.
    retired: bool,
    /// The name of the row.
    name: Name,
    /// The first site of the row.
    head: u16,
    /// The next site of the row.
    next: Option<u16>,
}

struct List {
    entries: KVec<Entry, Entries>,
    probes: Option<Probes>,
    grouping: Grouping,
    /// The names of the sites with these numbers, as far as they are resolved.
    labels: KVVec<Option<Named>, Labels>,
}

/// A row of the table.
pub(crate) struct Row<'a> {
    pub(crate) name: &'a str,
    pub(crate) totals: Totals,
}

/// A site, with its full name.
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
        try_pin_init!(Self {
            // GFP: The module's initialization sleeps.
            counting: Arc::new(counting, GFP_KERNEL)?,
            list <- new_mutex!(List {
                entries: KVec::new(),
                probes: None,
                grouping: Grouping::Site,
                labels: KVVec::new(),
            }),
        })
    }

    /// Adds a module, loaded or not, or with the name `all`, everything.
    pub(crate) fn add(&self, name: &str) -> Result {
        let name = module_name(name)?;
        let mut list = self.list.lock();
        list.check_new(&name)?;
        let what = match name.to_bytes() {
            b"all" => What::All,
            _ => {
                let range = |range: Range<usize>| Some(range).filter(|range| !range.is_empty());
                // A module whose unloading has begun is not added: the list has missed its end.
                module::with(&name, |module| What::Module {
                    text: range(module.text()).filter(|_| !module.is_going()),
                    init_text: range(module.init_text())
                        .filter(|_| !module.is_going() && !module.is_live()),
                })
                .unwrap_or(What::Module {
                    text: None,
                    init_text: None,
                })
            }
        };
        self.insert(&mut list, Entry { name, what })
    }

    /// Adds the addresses of built-in code.
    pub(crate) fn add_addresses(&self, name: &str, addresses: Range<usize>) -> Result {
        // User space and NULL have no code of the kernel.
        if addresses.is_empty() || addresses.start < isize::MAX as usize {
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
        self.resolve(&mut list)?;
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
        let mut list = self.list.lock();
        self.resolve(&mut list)?;
        list.grouping = grouping;
        list.regroup();
        Ok(())
    }

    /// Adds an entry.
    fn insert(&self, list: &mut List, entry: Entry) -> Result {
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
                What::Module { text, init_text } => {
                    for range in [text, init_text].into_iter().flatten() {
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
            if address != 0 {
                view.insert(address, site, |other| sites.address(other) == address);
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
            What::Module { text, init_text } => text.is_some() || init_text.is_some(),
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
            list.labels.clear();
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
        let sites = &self.counting.sites;
        for site in 0..sites.count() {
            if list.labels.len() == site {
                list.labels.push(None, GFP_KERNEL)?;
            }
            // CAST: Site numbers have 16 bits.
            let number = site as u16;
            let address = sites.address(number);
            if address == 0 || list.labels.get(site).is_some_and(Option::is_some) {
                continue;
            }
            // The call precedes its return address, which may be that of the next function.
            let label =
                symbol::with(address - 1, |symbol| Label::new(&symbol, symbol.offset + 1))??;
            let (section, at) = section_of(address, label.module());
            let named = Named {
                name: label.name(list.grouping),
                label,
                section,
                at,
                retired: false,
                head: number,
                next: None,
            };
            list.link(number, named);
        }
        Ok(())
    }

    /// Resolves the names of sites, and retires those in these addresses, whose code is about to be
    /// freed.
    fn retire(&self, list: &mut List, going: &[Range<usize>]) {
        let sites = &self.counting.sites;
        if self.resolve(list).is_err() {
            pr_warn!("no memory for the names of call sites; some are not shown\n");
        }
        // The view of the probes has no range of these addresses.
        for site in 0..sites.count() {
            // CAST: Site numbers have 16 bits.
            let number = site as u16;
            let address = sites.address(number);
            if going.iter().any(|range| range.contains(&address)) {
                sites.set_address(number, 0);
                if let Some(Some(named)) = list.labels.get_mut(site) {
                    named.retired = true;
                }
            }
        }
    }

    /// Gives retired sites of a module their new addresses.
    fn revive(&self, list: &mut List, module: &Module<'_>) {
        let grouping = Grouping::Site;
        for (site, named) in list.labels.iter_mut().enumerate() {
            let Some(named) = named.as_mut() else {
                continue;
            };
            if !named.retired || named.label.module() != module.name() {
                continue;
            }
            let memory = match named.section {
                Section::Text => module.text(),
                Section::InitText => module.init_text(),
                Section::BuiltIn => continue,
            };
            let address = memory.start + named.at;
            if !memory.contains(&address.wrapping_sub(1)) {
                continue;
            }
            // Another build of the module has other functions at these addresses.
            let is_same = symbol::with(address - 1, |symbol| {
                Label::new(&symbol, symbol.offset + 1).is_ok_and(|label| {
                    label.name(grouping).as_str() == named.label.name(grouping).as_str()
                })
            });
            if is_same == Ok(true) {
                named.retired = false;
                // CAST: Site numbers have 16 bits.
                self.counting.sites.set_address(site as u16, address);
            }
        }
    }

    /// Calls `f` with each entry.
    pub(crate) fn with_entry<R>(&self, nth: usize, f: impl FnOnce(&State<'_>) -> R) -> Option<R> {
        let list = self.list.lock();
        let entry = list.entries.get(nth)?;
        let length = |range: &Option<Range<usize>>| range.as_ref().map_or(0, Range::len);
        let (kind, state, code) = match &entry.what {
            What::Module { text, init_text } => {
                let code = length(text) + length(init_text);
                ("module", if code > 0 { "loaded" } else { "waiting" }, code)
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
        let grouping = Grouping::ALL.iter().find(|(_, g)| *g == list.grouping);
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

    /// Returns the number of the first row, or of the first site, at or after `from`.
    pub(crate) fn seek(&self, from: usize, rows: bool) -> Option<usize> {
        let mut list = self.list.lock();
        self.resolve(&mut list).ok()?;
        let rest = list.labels.get(from..)?;
        let is_it = |(at, named): &(usize, &Option<Named>)| {
            named
                .as_ref()
                .is_some_and(|named| !rows || usize::from(named.head) == from + at)
        };
        rest.iter().enumerate().find(is_it).map(|(at, _)| from + at)
    }

    /// Calls `f` with the row that begins with a site.
    pub(crate) fn with_row<R>(&self, head: usize, f: impl FnOnce(&Row<'_>) -> R) -> Option<R> {
        let list = self.list.lock();
        let first = list.labels.get(head)?.as_ref()?;
        let mut totals = Totals::default();
        // CAST: Site numbers have 16 bits.
        let mut at = Some(head as u16);
        while let Some(site) = at {
            totals.add(&self.counting.sites.totals(site));
            at = list.labels.get(usize::from(site))?.as_ref()?.next;
        }
        Some(f(&Row {
            name: first.name.as_str(),
            totals,
        }))
    }

    /// Calls `f` with a site.
    pub(crate) fn with_site<R>(
        &self,
        site: usize,
        f: impl FnOnce(&SiteRecord<'_>) -> R,
    ) -> Option<R> {
        let list = self.list.lock();
        let named = list.labels.get(site)?.as_ref()?;
        Some(f(&SiteRecord {
            label: &named.label,
            name: named.label.name(Grouping::Site),
            section: match named.section {
                Section::BuiltIn => "built-in",
                Section::Text => "text",
                Section::InitText => "init",
            },
            at: named.at,
            is_loaded: !named.retired,
            // CAST: Site numbers have 16 bits.
            totals: self.counting.sites.totals(site as u16),
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

    /// Adds a named site to its row.
    fn link(&mut self, site: u16, mut named: Named) {
        let hash = named.name.hash();
        let same = |(_, other): &(usize, &Option<Named>)| {
            other.as_ref().is_some_and(|other| {
                other.name.hash() == hash && other.name.as_str() == named.name.as_str()
            })
        };
        let head = self.labels.iter().enumerate().find(same).map(|(at, _)| at);
        if let Some(Some(Some(first))) = head.map(|head| self.labels.get_mut(head)) {
            named.head = first.head;
            named.next = first.next.replace(site);
        }
        if let Some(slot) = self.labels.get_mut(usize::from(site)) {
            *slot = Some(named);
        }
    }

    /// Forms the rows again.
    fn regroup(&mut self) {
        for site in 0..self.labels.len() {
            let Some(named) = self.labels.get_mut(site).and_then(Option::take) else {
                continue;
            };
            // Sites before this one are regrouped, and have their new names.
            let later = Named {
                name: named.label.name(self.grouping),
                // CAST: Site numbers have 16 bits.
                head: site as u16,
                next: None,
                ..named
            };
            self.link_before(site, later);
        }
    }

    /// Adds a named site to the row of an earlier site.
    fn link_before(&mut self, site: usize, mut named: Named) {
        let same = |other: &Option<Named>| {
            other
                .as_ref()
                .is_some_and(|other| other.name.as_str() == named.name.as_str())
        };
        let earlier = self.labels.get(..site).unwrap_or_default();
        let head = earlier.iter().position(same);
        if let Some(Some(Some(first))) = head.map(|head| self.labels.get_mut(head)) {
            named.head = first.head;
            // CAST: Site numbers have 16 bits.
            named.next = first.next.replace(site as u16);
        }
        if let Some(slot) = self.labels.get_mut(site) {
            *slot = Some(named);
        }
    }
}

/// Returns the code to which an address belongs, and the offset in it.
fn section_of(address: usize, module: &str) -> (Section, usize) {
    let Ok(name) = CString::try_from_fmt(fmt!("{module}")) else {
        return (Section::BuiltIn, 0);
    };
    let found = module::with(&name, |module| {
        [
            (Section::Text, module.text()),
            (Section::InitText, module.init_text()),
        ]
        .into_iter()
        // The call precedes its return address.
        .find(|(_, memory)| memory.contains(&(address - 1)))
        .map(|(section, memory)| (section, address - memory.start))
    });
    // The address of built-in code is not shown.
    found.flatten().unwrap_or((Section::BuiltIn, 0))
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
        let (text, init_text) = (module.text(), module.init_text());
        let entry = list
            .entries
            .iter_mut()
            .find(|entry| entry.name.to_bytes() == module.name().as_bytes());
        if let Some(Entry {
            what:
                What::Module {
                    text: t,
                    init_text: i,
                },
            ..
        }) = entry
        {
            let range =
                |range: &Range<usize>| Some(range.clone()).filter(|range| !range.is_empty());
            (*t, *i) = match change {
                Change::Coming => (range(&text), range(&init_text)),
                Change::Live => (range(&text), None),
                Change::Going => (None, None),
            };
        }
        if change == Change::Coming {
            watch.revive(&mut list, module);
        }
        if let Err(error) = watch.apply(&mut list) {
            pr_err!("{}: not watched ({error:?})\n", module.name());
        }
        // An asynchronous function of the module may still run, but no probe has a range of it.
        match change {
            Change::Coming => {}
            Change::Live => watch.retire(&mut list, &[init_text]),
            Change::Going => watch.retire(&mut list, &[text, init_text]),
        }
    }
}
