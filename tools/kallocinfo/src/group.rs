// SPDX-License-Identifier: GPL-2.0-only

//! Groups of rows: one row per function, or one per module.

use crate::{
    Row,
    Site,
    Slab,
    Snapshot, //
};
use std::collections::{
    BTreeMap,
    HashMap, //
};

/// The rows that are added up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum By {
    /// None: each call or site has its own row.
    #[default]
    Site,
    /// The calls of a function. A site that kalloc counts itself has its own row.
    Function,
    /// The calls or sites of a module. A row of slabinfo without a module has its own row.
    Module,
}

/// The identifier of a group: its rows have the same data, and those that kalloc counts itself are
/// not added to those of kalloc_watch, which may count the same blocks.
type Group = (String, bool, bool, bool);

impl Snapshot {
    /// Returns a snapshot with one row per group. A group has the place of its first row, and the
    /// sums of the numbers of its rows. The object size is the mean, the slabs are pages.
    pub fn grouped(&self, by: By) -> Self {
        if by == By::Site {
            return self.clone();
        }
        let mut places: HashMap<Group, usize> = HashMap::new();
        let mut groups: Vec<(&str, Vec<&Row>)> = Vec::new();
        for row in &self.rows {
            let (key, name) = match by {
                By::Module => (row.module().to_owned(), row.module()),
                _ => (function(row), row.function()),
            };
            let key = (
                key,
                row.slab.is_some(),
                row.site.is_some(),
                row.is_watched(),
            );
            let place = *places.entry(key).or_insert(groups.len());
            if place == groups.len() {
                groups.push((name, Vec::new()));
            }
            groups[place].1.push(row);
        }
        let parts = groups.iter().map(|(name, rows)| {
            let slabs: Vec<&Slab> = rows.iter().filter_map(|row| row.slab.as_ref()).collect();
            let sites: Vec<&Site> = rows.iter().filter_map(|row| row.site.as_ref()).collect();
            (
                (*name).to_owned(),
                slab_of(name, &slabs),
                site_of(name, &sites),
            )
        });
        Self {
            taken_ms: self.taken_ms,
            notes: self.notes.clone(),
            ..Self::of_parts(parts, self.page_size)
        }
    }
}

/// Returns an identifier of the function. The names of two calls of one function may be truncated
/// at different places.
fn function(row: &Row) -> String {
    let full = row.site.as_ref().and_then(|site| site.function.as_deref());
    full.filter(|full| !full.is_empty()).map_or_else(
        || row.function().to_owned(),
        |full| format!("{}/{full}", row.module()),
    )
}

fn slab_of(name: &str, slabs: &[&Slab]) -> Option<Slab> {
    let (first, rest) = slabs.split_first()?;
    let name = name.to_owned();
    if rest.is_empty() {
        return Some(Slab {
            name,
            ..(*first).clone()
        });
    }
    let sum = |value: fn(&Slab) -> u64| {
        slabs
            .iter()
            .map(|it| value(it))
            .fold(0, u64::saturating_add)
    };
    let num_objs = sum(|it| it.num_objs);
    let pages = sum(|it| it.num_slabs.saturating_mul(it.pagesperslab));
    let held = sum(|it| it.num_objs.saturating_mul(it.objsize));
    Some(Slab {
        name,
        active_objs: sum(|it| it.active_objs),
        num_objs,
        objsize: held.checked_div(num_objs).unwrap_or(first.objsize),
        objperslab: num_objs.checked_div(pages).unwrap_or(first.objperslab),
        pagesperslab: 1,
        tunables: [0; 3],
        active_slabs: sum(|it| it.active_slabs.saturating_mul(it.pagesperslab)),
        num_slabs: pages,
        sharedavail: sum(|it| it.sharedavail),
        statistics: None,
    })
}

fn site_of(name: &str, sites: &[&Site]) -> Option<Site> {
    let (first, rest) = sites.split_first()?;
    let mut sum = Site {
        name: name.to_owned(),
        ..(*first).clone()
    };
    for site in rest {
        add(&mut sum, site);
    }
    Some(sum)
}

/// Adds the numbers of a site. Texts that differ become empty.
fn add(sum: &mut Site, site: &Site) {
    let both = |to: &mut String, from: &str| {
        if to != from {
            to.clear();
        }
    };
    if sum.family != site.family {
        sum.family = "mixed".to_owned();
    }
    both(&mut sum.type_name, &site.type_name);
    both(&mut sum.module, &site.module);
    if (&sum.file, sum.line) != (&site.file, site.line) {
        both(&mut sum.file, &site.file);
        sum.line = 0;
    }
    if sum.unit != site.unit {
        sum.unit = 0;
    }
    if let (Some(to), Some(from)) = (&mut sum.function, &site.function) {
        both(to, from);
    }
    for (to, from) in [
        (&mut sum.live, site.live),
        (&mut sum.allocs, site.allocs),
        (&mut sum.frees, site.frees),
        (&mut sum.failures.no_memory, site.failures.no_memory),
        (&mut sum.failures.no_wait, site.failures.no_wait),
        (&mut sum.failures.invalid, site.failures.invalid),
        (&mut sum.live_bytes, site.live_bytes),
        (&mut sum.live_allocated, site.live_allocated),
        (&mut sum.peak, site.peak),
        (&mut sum.peak_bytes, site.peak_bytes),
        (&mut sum.peak_allocated, site.peak_allocated),
    ] {
        *to = to.saturating_add(from);
    }
    for (to, from) in [
        (&mut sum.frees_elsewhere, site.frees_elsewhere),
        (&mut sum.lost, site.lost),
    ] {
        *to = to.zip(from).map(|(to, from)| to.saturating_add(from));
    }
    let mut sizes: BTreeMap<u64, _> = sum.sizes.drain(..).map(|it| (it.up_to, it)).collect();
    for size in &site.sizes {
        match sizes.get_mut(&size.up_to) {
            Some(to) => {
                to.allocs = to.allocs.saturating_add(size.allocs);
                to.frees = to.frees.saturating_add(size.frees);
            }
            None => drop(sizes.insert(size.up_to, size.clone())),
        }
    }
    sum.sizes = sizes.into_values().collect();
    let mut cpus: BTreeMap<u32, _> = sum.cpus.drain(..).map(|it| (it.cpu, it)).collect();
    for on in &site.cpus {
        match cpus.get_mut(&on.cpu) {
            Some(to) => {
                to.allocs = to.allocs.saturating_add(on.allocs);
                to.frees = to.frees.saturating_add(on.frees);
            }
            None => drop(cpus.insert(on.cpu, on.clone())),
        }
    }
    sum.cpus = cpus.into_values().collect();
    // Members of a later version cannot be added.
    sum.more.clear();
}
