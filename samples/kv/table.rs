// SPDX-License-Identifier: GPL-2.0

//! Where the keys are.
//!
//! A key has a *place*, a number that it keeps as long as it is there; so that who lists the keys can
//! stop and go on. The index is the places in the order of their keys. It is searched by halves:
//! unlike a hash, nobody can choose keys that make it slow.

use super::{
    store::{
        Key,
        Mode, //
    },
    value::Value, //
};
use core::cmp::Ordering;
use kalloc::{
    slab::ArcObject, //
    VVec,
};
use kernel::prelude::*;

kalloc::sites! {
    /// Keys with their values.
    pub(crate) Nodes: cache(Node), "kv_node";
    /// The places.
    pub(crate) Places: vmalloc([Place]), "kv_place";
    /// The index.
    pub(crate) Index: vmalloc([u32]), "kv_index";
}

/// The most keys.
const MAX: usize = 1024;

/// A key and its value.
pub(crate) struct Node {
    pub(crate) key: Key,
    pub(crate) value: Value,
}

/// Where a key can be.
pub(crate) enum Place {
    /// There is one.
    Taken(ArcObject<Nodes>),
    /// There is none; and the next place of which this is true.
    Free(Option<u32>),
}

/// The table.
///
/// `index` has each place that is taken, once, sorted by the keys. The others are a list from `free`
/// on.
pub(crate) struct Table {
    places: VVec<Place, Places>,
    free: Option<u32>,
    index: VVec<u32, Index>,
}

impl Table {
    /// An empty table, which takes no memory.
    pub(crate) const fn new() -> Self {
        Table {
            places: VVec::new(),
            free: None,
            index: VVec::new(),
        }
    }

    /// The number of keys.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// What is at a place.
    pub(crate) fn node(&self, place: usize) -> Option<&Node> {
        match self.places.get(place)? {
            Place::Taken(node) => Some(node),
            Place::Free(_) => None,
        }
    }

    /// The first place at or behind `place` that is taken.
    pub(crate) fn place_from(&self, place: usize) -> Option<usize> {
        (place..self.places.len()).find(|&place| self.node(place).is_some())
    }

    /// The value of `key`.
    pub(crate) fn get(&self, key: &Key) -> Option<&Value> {
        let at = self.find(key).ok()?;
        self.node(*self.index.get(at)? as usize)
            .map(|node| &node.value)
    }

    /// Puts `node` where its key is, or to a new place. Returns what was there.
    pub(crate) fn put(
        &mut self,
        node: ArcObject<Nodes>,
        mode: Mode,
    ) -> Result<Option<ArcObject<Nodes>>> {
        match self.find(&node.key) {
            Ok(_) if mode == Mode::Create => Err(EEXIST),
            Err(_) if mode == Mode::Replace => Err(ENOENT),
            Ok(at) => {
                let place = *self.index.get(at).ok_or(EINVAL)?;
                Ok(self.exchange(place, Place::Taken(node)))
            }
            Err(at) => self.insert(at, node).map(|()| None),
        }
    }

    /// Takes out what has `key`.
    pub(crate) fn remove(&mut self, key: &Key) -> Result<ArcObject<Nodes>> {
        let at = self.find(key).map_err(|_| ENOENT)?;
        let place = self.index.remove(at).map_err(|_| ENOENT)?;
        let node = self.exchange(place, Place::Free(self.free)).ok_or(ENOENT)?;
        self.free = Some(place);
        if self.index.is_empty() {
            *self = Self::new();
        }
        Ok(node)
    }

    /// Puts `node` to a free place, which becomes the index's entry `at`. On error nothing changes.
    fn insert(&mut self, at: usize, node: ArcObject<Nodes>) -> Result {
        if self.len() >= MAX {
            return Err(ENOSPC);
        }
        self.index.reserve(1, GFP_KERNEL)?;
        let place = match self.free {
            Some(place) => {
                if let Some(Place::Free(next)) = self.places.get(place as usize) {
                    self.free = *next;
                }
                self.exchange(place, Place::Taken(node));
                place
            }
            None => {
                self.places.push(Place::Taken(node), GFP_KERNEL)?;
                // CAST: At most `MAX`.
                self.places.len() as u32 - 1
            }
        };
        // There is room, and `at` is in the index, or its end.
        self.index
            .insert_within_capacity(at, place)
            .map_err(|_| ENOMEM)
    }

    /// Exchanges what is at a place. Returns what was there.
    fn exchange(&mut self, place: u32, new: Place) -> Option<ArcObject<Nodes>> {
        match core::mem::replace(self.places.get_mut(place as usize)?, new) {
            Place::Taken(node) => Some(node),
            Place::Free(_) => None,
        }
    }

    /// Where in the index `key` is, or would be.
    fn find(&self, key: &Key) -> Result<usize, usize> {
        self.index.binary_search_by(|&place| {
            self.node(place as usize)
                .map_or(Ordering::Less, |node| node.key.cmp(key))
        })
    }
}
