// SPDX-License-Identifier: GPL-2.0-only

//! The names of the sites, and the rows that sites of one name share.

use crate::{
    modules::{
        Code,
        Modules, //
    },
    names::{
        Grouping,
        Label,
        Name, //
    },
    sites::{
        Sites,
        Totals,
        GONE, //
    }, //
};
use kalloc::{
    prelude::*,
    trace::{
        module::Module,
        symbol, //
    }, //
};
use kernel::str::CString;

kalloc::sites! {
    /// The names of the sites.
    pub(crate) Labels: kvmalloc([Option<Named>]), "watch_labels";
    /// The tables of the names of rows.
    pub(crate) Heads: kvmalloc([u16]), "watch_rows";
}

/// The code of a module to which an address belongs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    BuiltIn,
    Text,
    InitText,
}

/// The name of a site.
pub(crate) struct Named {
    pub(crate) label: Label,
    pub(crate) section: Section,
    /// The offset of the address in its section.
    pub(crate) at: usize,
    /// True if the code at the site's address is gone.
    pub(crate) is_retired: bool,
    /// The place in the rows by site, and in those that the table shows.
    rows: [Link; 2],
}

/// The place of a site in its row.
#[derive(Clone, Copy, Default)]
struct Link {
    /// The hash of the row's name.
    hash: u64,
    /// True for the first site.
    is_head: bool,
    /// The next site.
    next: Option<u16>,
}

/// A view of the rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Site = 0,
    Shown = 1,
}

impl By {
    const ALL: [By; 2] = [By::Site, By::Shown];
}

/// The names and the rows.
pub(crate) struct Rows {
    pub(crate) grouping: Grouping,
    /// The names of the sites with these numbers.
    labels: KVVec<Option<Named>, Labels>,
    /// The number of sites before the first one that may still get a name.
    done: usize,
    /// Hash tables of the first sites of rows, plus 1, at most half full; 0 is an empty place.
    heads: [KVVec<u16, Heads>; 2],
}

impl Rows {
    /// Allocates room for the names of `count` sites.
    pub(crate) fn new(count: usize) -> Result<Self> {
        // GFP: The module's initialization sleeps.
        let mut labels = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            labels.push(None, GFP_KERNEL)?;
        }
        let heads = || -> Result<_> {
            let places = (2 * count).next_power_of_two();
            let mut heads = KVVec::with_capacity(places, GFP_KERNEL)?;
            heads.resize(places, 0, GFP_KERNEL)?;
            Ok(heads)
        };
        Ok(Rows {
            grouping: Grouping::Site,
            labels,
            done: 0,
            heads: [heads()?, heads()?],
        })
    }

    /// Removes all names.
    pub(crate) fn clear(&mut self) {
        self.labels.iter_mut().for_each(|label| *label = None);
        self.done = 0;
        for heads in &mut self.heads {
            heads.fill(0);
        }
    }

    /// Returns the parts that share the rows of a view.
    fn grouping(&self, by: By) -> Grouping {
        match by {
            By::Site => Grouping::Site,
            By::Shown => self.grouping,
        }
    }

    /// Returns the name of a site.
    pub(crate) fn get(&self, site: usize) -> Option<&Named> {
        self.labels.get(site)?.as_ref()
    }

    fn get_mut(&mut self, site: usize) -> Option<&mut Named> {
        self.labels.get_mut(site)?.as_mut()
    }

    fn link(&mut self, site: u16, by: By) -> Option<&mut Link> {
        let named = self.get_mut(usize::from(site))?;
        named.rows.get_mut(by as usize)
    }

    /// Returns the name of a site's row.
    pub(crate) fn name(&self, site: usize, by: By) -> Option<Name> {
        Some(self.get(site)?.label.name(self.grouping(by)))
    }

    /// Returns the first site of a row, at or after `from`.
    pub(crate) fn seek(&self, from: usize, by: By) -> Option<usize> {
        let rest = self.labels.get(from..)?;
        let is_head = |named: &Option<Named>| {
            let link = named.as_ref().and_then(|named| named.rows.get(by as usize));
            link.is_some_and(|link| link.is_head)
        };
        rest.iter().position(is_head).map(|at| from + at)
    }

    /// Returns the sums of a row.
    pub(crate) fn totals(&self, head: usize, by: By, sites: &Sites) -> Totals {
        let mut totals = Totals::default();
        // CAST: Site numbers have 16 bits.
        let mut next = Some(head as u16);
        while let Some(site) = next {
            totals.add(&sites.totals(site));
            let named = self.get(usize::from(site));
            next = named.and_then(|named| named.rows.get(by as usize)?.next);
        }
        totals
    }

    /// Resolves the names of new sites. After an error, some have none; the next call tries again.
    pub(crate) fn resolve(&mut self, sites: &Sites, modules: &Modules) -> Result {
        let mut result = Ok(());
        let mut is_done = true;
        for site in self.done..sites.count() {
            // CAST: Site numbers have 16 bits.
            let number = site as u16;
            match sites.address(number) {
                // A probe is adding the site.
                0 => is_done = false,
                GONE => {}
                _ if self.get(site).is_some() => {}
                address => match named(address, modules) {
                    Ok(named) => self.insert(number, named),
                    Err(error) => {
                        is_done = false;
                        result = Err(error);
                    }
                },
            }
            if is_done {
                self.done = site + 1;
            }
        }
        result
    }

    /// Resolves the names of sites, and retires those in these addresses, whose code is about to be
    /// freed. No probe may have a range of these addresses.
    pub(crate) fn retire(&mut self, sites: &Sites, modules: &Modules, going: &Code) {
        if self.resolve(sites, modules).is_err() {
            pr_warn!("no memory for the names of call sites; some are unknown\n");
        }
        for site in 0..sites.count() {
            // CAST: Site numbers have 16 bits.
            let number = site as u16;
            let address = sites.address(number);
            let Some(range) = going.ranges().find(|range| range.contains(&address)) else {
                continue;
            };
            sites.set_address(number, GONE);
            if self.get(site).is_none() {
                // Its blocks stay in the table, without a name.
                self.insert(number, unknown(address - range.start));
            }
            if let Some(named) = self.get_mut(site) {
                named.is_retired = true;
            }
        }
    }

    /// Gives retired sites of a module their new addresses.
    pub(crate) fn revive(&mut self, sites: &Sites, module: &Module<'_>) {
        for (site, named) in self.labels.iter_mut().enumerate() {
            let Some(named) = named.as_mut() else {
                continue;
            };
            if !named.is_retired || named.label.module() != module.name() {
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
                Label::new(&symbol, symbol.offset + 1).is_ok_and(|label| label.is(&named.label))
            });
            if is_same == Ok(true) {
                named.is_retired = false;
                // CAST: Site numbers have 16 bits.
                sites.set_address(site as u16, address);
            }
        }
    }

    /// Adds a named site to its rows.
    fn insert(&mut self, site: u16, named: Named) {
        if let Some(slot) = self.labels.get_mut(usize::from(site)) {
            *slot = Some(named);
            By::ALL.map(|by| self.add(site, by));
        }
    }

    /// Selects the parts that share a row of the table.
    pub(crate) fn group(&mut self, grouping: Grouping) {
        self.grouping = grouping;
        let [_, shown] = &mut self.heads;
        shown.fill(0);
        for site in 0..self.labels.len() {
            // CAST: Site numbers have 16 bits.
            self.add(site as u16, By::Shown);
        }
    }

    /// Adds a named site to its row.
    fn add(&mut self, site: u16, by: By) {
        let Some(name) = self.name(usize::from(site), by) else {
            return;
        };
        let hash = name.hash();
        let mut link = Link {
            hash,
            is_head: true,
            next: None,
        };
        if let Some(head) = self.head(&name, hash, by, site) {
            link.is_head = false;
            if let Some(head) = self.link(head, by) {
                link.next = head.next.replace(site);
            }
        }
        if let Some(slot) = self.link(site, by) {
            *slot = link;
        }
    }

    /// Returns the first site of the row `name`, unless `site` becomes the first one.
    fn head(&mut self, name: &Name, hash: u64, by: By, site: u16) -> Option<u16> {
        let heads = self.heads.get(by as usize)?;
        let mask = heads.len().wrapping_sub(1);
        // CAST: The lowest bits of the hash.
        let mut at = hash as usize & mask;
        // The table has empty places.
        loop {
            let Some(head) = heads.get(at)?.checked_sub(1) else {
                let place = self.heads.get_mut(by as usize)?.get_mut(at)?;
                *place = site + 1;
                return None;
            };
            let other = self.get(usize::from(head))?;
            if other.rows.get(by as usize)?.hash == hash
                && self.name(usize::from(head), by)?.as_str() == name.as_str()
            {
                return Some(head);
            }
            at = at.wrapping_add(1) & mask;
        }
    }
}

/// Returns the name of a call that returns to `address`.
fn named(address: usize, modules: &Modules) -> Result<Named> {
    // The call precedes its return address, which may be that of the next function.
    let label = symbol::with(address - 1, |symbol| Label::new(&symbol, symbol.offset + 1))??;
    let code = modules.named(&CString::try_from_fmt(fmt!("{}", label.module()))?);
    let sections = code.map(|code| {
        [
            (Section::Text, code.text),
            (Section::InitText, code.init_text),
        ]
    });
    let place = sections.into_iter().flatten().find_map(|(section, range)| {
        // The call precedes its return address.
        let is_in = range.contains(&(address - 1));
        is_in.then(|| (section, address - range.start))
    });
    // The address of built-in code is not shown.
    let (section, at) = place.unwrap_or((Section::BuiltIn, 0));
    Ok(Named {
        label,
        section,
        at,
        is_retired: false,
        rows: [Link::default(); 2],
    })
}

/// Returns the name of a call for whose name there is no memory.
fn unknown(at: usize) -> Named {
    Named {
        label: Label::unknown(at),
        section: Section::Text,
        at,
        is_retired: true,
        rows: [Link::default(); 2],
    }
}
