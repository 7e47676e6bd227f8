// SPDX-License-Identifier: GPL-2.0-only

//! The table from live blocks to their size and site.
//!
//! The table has a fixed size. Adding and removing a block takes no lock and allocates no memory,
//! so both work in any context, including NMI.
//!
//! A group has places for seven blocks, and a word of seven tags. A tag is a part of the hash of
//! the block's key, so that most lookups of blocks that are not in the table read only one word. A
//! block whose group is full is in a second group. A flag in the word of tags records that a group
//! was full once; without it, no lookup continues in the second group.
//!
//! # Ordering
//!
//! The holder of a block adds and removes its key, so that a key has one writer at a time: the
//! allocator orders the free of a block before its next allocation. Different keys compete for the
//! places of a group. The tag word decides: a place belongs to the CPU whose compare-and-exchange
//! set its tag (acquire), until that CPU clears the tag (release).

use core::sync::atomic::{
    AtomicU64,
    Ordering::{
        AcqRel,
        Acquire,
        Relaxed,
        Release, //
    }, //
};
use kalloc::prelude::*;

kalloc::sites! {
    /// The words of tags.
    pub(crate) Tags: vmalloc([Word]), "watch_tags";
    /// The groups of places.
    pub(crate) Groups: vmalloc([Group]), "watch_blocks";
}

/// Places of a group.
const PLACES: usize = 7;
/// The lowest bit of each tag.
const ONES: u64 = 0x0001_0101_0101_0101;
/// The highest bit of each tag, which is set if the place is in use.
const HIGH: u64 = 0x0080_8080_8080_8080;
/// The flag of a group that was full.
const FULL: u64 = 1 << 63;

/// A word of tags.
pub(crate) struct Word(AtomicU64);

// SAFETY: Zero is a valid number.
unsafe impl Zeroable for Word {}

/// The places of a group: a key, and the size and the site of the block.
#[repr(C, align(128))]
pub(crate) struct Group {
    keys: [AtomicU64; PLACES],
    metas: [AtomicU64; PLACES],
}

// SAFETY: Zero is a valid number.
unsafe impl Zeroable for Group {}

/// The kind of a block, which is part of its key: addresses of different kinds may be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Memory of kmalloc or of a slab cache.
    Slab = 0,
    /// A page block; its address is that of its `struct page`.
    Pages = 1,
    /// Memory of vmalloc.
    Vmalloc = 2,
    /// Per-CPU memory.
    PerCpu = 3,
}

/// The key of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(u64);

impl Key {
    /// Returns the key of a block, or `None` for a failed allocation: NULL, `ZERO_SIZE_PTR` or an
    /// error.
    #[inline(always)]
    pub(crate) fn new(address: usize, kind: Kind) -> Option<Self> {
        const MAX_ERRNO: usize = 4095;
        // The lowest address after ZERO_SIZE_PTR. All blocks are aligned to at least 4 bytes.
        (address > 16 && address < usize::MAX - MAX_ERRNO)
            // CAST: `usize` has 64 bits.
            .then_some(Key((address & !3) as u64 | kind as u64))
    }

    #[inline(always)]
    fn hash(self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// The size and the site of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) size: usize,
    pub(crate) site: u16,
}

impl Block {
    // CAST: `usize` has 64 bits, of which sizes have at most 47.
    #[inline(always)]
    fn pack(self) -> u64 {
        (self.size as u64) << 16 | u64::from(self.site)
    }

    #[inline(always)]
    fn unpack(meta: u64) -> Self {
        Block {
            size: (meta >> 16) as usize,
            site: meta as u16,
        }
    }
}

/// The table.
pub(crate) struct Blocks {
    tags: Array<Word, Vmalloc<Tags>>,
    groups: Array<Group, Vmalloc<Groups>>,
}

/// The group of a key, with its word of tags, the tag, and a word that repeats the tag.
#[derive(Clone, Copy)]
struct At<'a> {
    word: &'a AtomicU64,
    group: &'a Group,
    tag: u64,
    pattern: u64,
}

impl Blocks {
    /// Allocates a table with 2^`order` groups, for `order` from 10 to 24.
    pub(crate) fn new(order: u32) -> Result<Self> {
        if !(10..=24).contains(&order) {
            return Err(EINVAL);
        }
        // GFP: The module's initialization sleeps.
        Ok(Blocks {
            tags: Array::zeroed(1 << order, GFP_KERNEL)?,
            groups: Array::zeroed(1 << order, GFP_KERNEL)?,
        })
    }

    /// Returns the number of places.
    pub(crate) fn capacity(&self) -> usize {
        PLACES * self.tags.len()
    }

    /// Returns the number of blocks in the table.
    pub(crate) fn count(&self) -> usize {
        let used = |word: &Word| (word.0.load(Relaxed) & HIGH).count_ones() as usize;
        self.tags.iter().map(used).sum()
    }

    /// Removes all blocks. No other function may be running.
    pub(crate) fn clear(&self) {
        for (word, group) in self.tags.iter().zip(self.groups.iter()) {
            for key in &group.keys {
                key.store(0, Relaxed);
            }
            word.0.store(0, Release);
        }
    }

    /// Returns the group of a key.
    #[inline(always)]
    fn first(&self, key: Key) -> Option<At<'_>> {
        let hash = key.hash();
        let tag = hash >> 32 & 127 | 128;
        // CAST: The hash has at most 24 bits above these, as many as the number of a group.
        self.at((hash >> 40) as usize, tag)
    }

    /// Returns the group of a key whose first group is full.
    fn second(&self, key: Key) -> Option<At<'_>> {
        let hash = key.hash();
        let tag = hash >> 32 & 127 | 128;
        // CAST: The hash has at most 24 bits above these, as many as the number of a group.
        self.at((hash >> 40 ^ tag << 3) as usize, tag)
    }

    #[inline(always)]
    fn at(&self, number: usize, tag: u64) -> Option<At<'_>> {
        let (tags, groups): (&[Word], &[Group]) = (&self.tags, &self.groups);
        // The number of groups is a power of two.
        let number = number & tags.len().wrapping_sub(1);
        Some(At {
            word: &tags.get(number)?.0,
            group: groups.get(number)?,
            tag,
            pattern: tag.wrapping_mul(ONES),
        })
    }

    /// Adds a block whose key is not in the table, as that of most allocations. Returns false if
    /// that needs [`put`](Self::put).
    #[inline(always)]
    pub(crate) fn put_new(&self, key: Key, block: Block) -> bool {
        let Some(at) = self.first(key) else {
            return false;
        };
        let tags = at.word.load(Relaxed);
        // No place has this tag, and the group was never full.
        at.places_of(tags) | tags & FULL == 0 && at.put_in(tags, key, block)
    }

    /// Adds a block. Returns false if there is no place for it, and the block that was in the table
    /// with this key.
    pub(crate) fn put(&self, key: Key, block: Block) -> (bool, Option<Block>) {
        let old = self.take(key);
        let put = [self.first(key), self.second(key)]
            .into_iter()
            .flatten()
            .any(|at| at.put(key, block));
        (put, old)
    }

    /// Removes a block, if it is in the table.
    #[inline(always)]
    pub(crate) fn take(&self, key: Key) -> Option<Block> {
        let at = self.first(key)?;
        let tags = at.word.load(Relaxed);
        let found = at.places_of(tags);
        if found | tags & FULL == 0 {
            return None;
        }
        // Most often, the first place with the tag is that of the key.
        if found != 0 {
            if let Some(block) = at.take_from(found, key) {
                return Some(block);
            }
        }
        self.take_rest(key, found, tags)
    }

    /// Removes a block that is in another place.
    #[cold]
    #[inline(never)]
    fn take_rest(&self, key: Key, found: u64, tags: u64) -> Option<Block> {
        let block = self.first(key)?.take(found & found.wrapping_sub(1), key);
        if block.is_some() || tags & FULL == 0 {
            return block;
        }
        let at = self.second(key)?;
        at.take(at.places_of(at.word.load(Relaxed)), key)
    }
}

impl At<'_> {
    /// Returns the places with the tag, as the highest bits of the tags. Places above the lowest
    /// one may have other tags.
    #[inline(always)]
    fn places_of(&self, tags: u64) -> u64 {
        let other = tags ^ self.pattern;
        other.wrapping_sub(ONES) & !other & HIGH
    }

    /// Puts a block into a free place, of which `tags` has one, unless the tags have changed.
    #[inline(always)]
    fn put_in(&self, tags: u64, key: Key, block: Block) -> bool {
        let free = !tags & HIGH;
        if free == 0 {
            return false;
        }
        let place = free.trailing_zeros() / 8;
        let new = tags | self.tag << (8 * place);
        if (self.word)
            .compare_exchange(tags, new, Acquire, Relaxed)
            .is_err()
        {
            return false;
        }
        let place = place as usize;
        if let (Some(k), Some(m)) = (self.group.keys.get(place), self.group.metas.get(place)) {
            m.store(block.pack(), Relaxed);
            k.store(key.0, Release);
        }
        true
    }

    /// Puts a block into a free place. Returns false, and marks the group, if it is full.
    fn put(&self, key: Key, block: Block) -> bool {
        loop {
            let tags = self.word.load(Relaxed);
            if tags & HIGH == HIGH {
                self.word.fetch_or(FULL, Relaxed);
                return false;
            }
            if self.put_in(tags, key, block) {
                return true;
            }
        }
    }

    /// Removes the block from one of these places.
    fn take(&self, mut found: u64, key: Key) -> Option<Block> {
        while found != 0 {
            if let Some(block) = self.take_from(found, key) {
                return Some(block);
            }
            found &= found - 1;
        }
        None
    }

    /// Removes the block from the lowest of these places, if it is there.
    #[inline(always)]
    fn take_from(&self, found: u64, key: Key) -> Option<Block> {
        let place = found.trailing_zeros() / 8;
        let here = self.group.keys.get(place as usize)?;
        if here.load(Acquire) != key.0 {
            return None;
        }
        let meta = self.group.metas.get(place as usize)?.load(Relaxed);
        // Two functions may report one free, such as kvfree() and vfree().
        here.compare_exchange(key.0, 0, AcqRel, Relaxed).ok()?;
        self.word.fetch_and(!(0xff << (8 * place & 63)), Release);
        Some(Block::unpack(meta))
    }
}
