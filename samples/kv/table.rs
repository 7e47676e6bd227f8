// SPDX-License-Identifier: GPL-2.0-only

//! The table of keys.
//!
//! A key has a *place*, a number that it keeps as long as it exists. A reader of the list can
//! therefore stop and continue. The index contains the places in the order of their keys. Lookups
//! use binary search: unlike with a hash, no choice of keys makes it slow.

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
    /// The table of places.
    pub(crate) Places: vmalloc([Place]), "kv_place";
    /// The sorted index.
    pub(crate) Index: vmalloc([u32]), "kv_index";
}

/// The maximum number of keys.
const MAX: usize = 1024;

/// A key and its value.
pub(crate) struct Node {
    pub(crate) key: Key,
    pub(crate) value: Value,
}

/// A place for a key.
pub(crate) enum Place {
    /// A place with a key.
    Taken(ArcObject<Nodes>),
    /// A place without a key, and the next such place.
    Free(Option<u32>),
}

/// The table of keys.
///
/// `index` contains each taken place once, sorted by the keys. The free places form a list that
/// starts at `free`.
pub(crate) struct Table {
    places: VVec<Place, Places>,
    free: Option<u32>,
    index: VVec<u32, Index>,
}

impl Table {
    /// Returns an empty table, which takes no memory.
    pub(crate) const fn new() -> Self {
        Table {
            places: VVec::new(),
            free: None,
            index: VVec::new(),
        }
    }

    /// Returns the number of keys.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Returns the key and value at a place.
    pub(crate) fn node(&self, place: usize) -> Option<&Node> {
        match self.places.get(place)? {
            Place::Taken(node) => Some(node),
            Place::Free(_) => None,
        }
    }

    /// Returns the first taken place at or behind `place`.
    pub(crate) fn place_from(&self, place: usize) -> Option<usize> {
        (place..self.places.len()).find(|&place| self.node(place).is_some())
    }

    /// Returns the value of `key`.
    pub(crate) fn get(&self, key: &Key) -> Option<&Value> {
        let at = self.find(key).ok()?;
        self.node(*self.index.get(at)? as usize)
            .map(|node| &node.value)
    }

    /// Stores `node` at the place of its key, or at a new place. Returns the replaced node.
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

    /// Removes the node of `key`, and returns it.
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

    /// Stores `node` at a free place, which becomes entry `at` of the index. On error nothing
    /// changes.
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
                // CAST: The length is at most `MAX`.
                self.places.len() as u32 - 1
            }
        };
        // The index has room, and `at` is inside it or at its end.
        self.index
            .insert_within_capacity(at, place)
            .map_err(|_| ENOMEM)
    }

    /// Replaces the contents of a place, and returns the former node.
    fn exchange(&mut self, place: u32, new: Place) -> Option<ArcObject<Nodes>> {
        match core::mem::replace(self.places.get_mut(place as usize)?, new) {
            Place::Taken(node) => Some(node),
            Place::Free(_) => None,
        }
    }

    /// Returns the position of `key` in the index, or the position at which to insert it.
    fn find(&self, key: &Key) -> Result<usize, usize> {
        self.index.binary_search_by(|&place| {
            self.node(place as usize)
                .map_or(Ordering::Less, |node| node.key.cmp(key))
        })
    }
}
