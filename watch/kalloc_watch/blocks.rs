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
    order: u32,
    tags: Array<Word, Vmalloc<Tags>>,
    groups: Array<Group, Vmalloc<Groups>>,
}

impl Blocks {
    /// Allocates a table with 2^`order` groups, for `order` from 10 to 24.
    pub(crate) fn new(order: u32) -> Result<Self> {
        if !(10..=24).contains(&order) {
            return Err(EINVAL);
        }
        // GFP: The module's initialization sleeps.
        Ok(Blocks {
            order,
            tags: Array::zeroed(1 << order, GFP_KERNEL)?,
            groups: Array::zeroed(1 << order, GFP_KERNEL)?,
        })
    }

    /// Returns the number of places.
    pub(crate) fn capacity(&self) -> usize {
        PLACES << self.order
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

    /// Returns the two groups of a hash, and its tag.
    #[inline(always)]
    fn places(&self, hash: u64) -> (usize, usize, u64) {
        let tag = hash >> (57 - self.order) & 127 | 128;
        // CAST: The number of groups fits.
        let first = (hash >> (64 - self.order)) as usize;
        let second = first ^ ((tag << 3) as usize & ((1 << self.order) - 1));
        (first, second, tag)
    }

    /// Adds a block. Returns false if there is no place for it, and the block that was in the table
    /// with this key.
    #[inline(always)]
    pub(crate) fn put(&self, key: Key, block: Block) -> (bool, Option<Block>) {
        let (first, second, tag) = self.places(key.hash());
        let Some(word) = self.tags.get(first) else {
            return (false, None);
        };
        let tags = word.0.load(Relaxed);
        // Most keys are new: no place has this tag, and the group was never full.
        let old = if zero_bytes(tags ^ tag.wrapping_mul(ONES)) | tags & FULL == 0 {
            None
        } else {
            self.take(key)
        };
        let put = self.put_in(first, key, tag, block) || self.put_in(second, key, tag, block);
        (put, old)
    }

    #[inline(always)]
    fn put_in(&self, at: usize, key: Key, tag: u64, block: Block) -> bool {
        let (Some(word), Some(group)) = (self.tags.get(at), self.groups.get(at)) else {
            return false;
        };
        let mut tags = word.0.load(Relaxed);
        loop {
            let free = zero_bytes(tags);
            if free == 0 {
                word.0.fetch_or(FULL, Relaxed);
                return false;
            }
            let place = free.trailing_zeros() / 8;
            let new = tags | tag << (8 * place);
            match word.0.compare_exchange_weak(tags, new, Acquire, Relaxed) {
                Ok(_) => {
                    let place = place as usize;
                    if let (Some(k), Some(m)) = (group.keys.get(place), group.metas.get(place)) {
                        m.store(block.pack(), Relaxed);
                        k.store(key.0, Release);
                    }
                    return true;
                }
                Err(now) => tags = now,
            }
        }
    }

    /// Removes a block, if it is in the table.
    #[inline(always)]
    pub(crate) fn take(&self, key: Key) -> Option<Block> {
        let (first, second, tag) = self.places(key.hash());
        let tags = self.tags.get(first)?.0.load(Relaxed);
        if let Some(block) = self.take_in(first, tags, key, tag) {
            return Some(block);
        }
        if tags & FULL == 0 {
            return None;
        }
        let tags = self.tags.get(second)?.0.load(Relaxed);
        self.take_in(second, tags, key, tag)
    }

    #[inline(always)]
    fn take_in(&self, at: usize, tags: u64, key: Key, tag: u64) -> Option<Block> {
        let mut found = zero_bytes(tags ^ tag.wrapping_mul(ONES));
        if found == 0 {
            return None;
        }
        let (word, group) = (self.tags.get(at)?, self.groups.get(at)?);
        while found != 0 {
            let place = found.trailing_zeros() / 8;
            found &= found - 1;
            let here = group.keys.get(place as usize)?;
            if here.load(Acquire) != key.0 {
                continue;
            }
            let meta = group.metas.get(place as usize)?.load(Relaxed);
            // Two functions may report one free, such as kvfree() and vfree().
            here.compare_exchange(key.0, 0, AcqRel, Relaxed).ok()?;
            word.0.fetch_and(!(0xff << (8 * place)), Release);
            return Some(Block::unpack(meta));
        }
        None
    }
}

/// Returns the highest bit of the lowest tag that is 0. Bits of higher tags may be set as well, also
/// if they are not 0.
#[inline(always)]
fn zero_bytes(tags: u64) -> u64 {
    tags.wrapping_sub(ONES) & !tags & HIGH
}
