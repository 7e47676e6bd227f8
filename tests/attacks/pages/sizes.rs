// SPDX-License-Identifier: GPL-2.0-only

//! Sizes: the counted bytes of blocks, the mapped bytes of blocks, and large values.

use super::Areas;
use crate::attack::{
    live,
    Attacker, //
};
use kalloc::{
    mm::page_info,
    sys::percpu::PerCpu, //
    Array,
    KVmalloc,
    Tag,
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Shrinks blocks of 8 MiB to 10 bytes. The counted bytes of the site must equal the memory that
/// the blocks take.
pub(super) fn shrunk(_: &Attacker) -> Result {
    const BLOCKS: usize = 6;
    const SIZE: usize = 8 << 20;
    let mut blocks = KVec::new();
    let before = page_info::free();
    for _ in 0..BLOCKS {
        let block = Array::<u8, KVmalloc<Areas>>::zeroed(SIZE, GFP_KERNEL)?;
        blocks.push(block, GFP_KERNEL)?;
    }
    holds!(Areas::site().totals().live_allocated >= (BLOCKS * SIZE) as u64);
    for block in &mut blocks {
        block.resize(10, GFP_KERNEL)?;
    }
    let taken = before.saturating_sub(page_info::free());
    let totals = Areas::site().totals();
    pr_info!(
        "{BLOCKS} blocks: {} bytes, {} allocated, {taken} taken\n",
        totals.live_bytes,
        totals.live_allocated
    );
    holds!(totals.live_bytes == (BLOCKS * 10) as u64);
    // Other threads allocate and free memory meanwhile.
    holds!(taken < totals.live_allocated as usize + SIZE);
    drop(blocks);
    let totals = Areas::site().totals();
    holds!((totals.live(), totals.live_bytes, totals.live_allocated) == (0, 0, 0));
    Ok(())
}

/// Queries how much of a block is mapped, without a hole behind the block.
pub(super) fn mapped(_: &Attacker) -> Result {
    let block = Array::<u8, KVmalloc<Areas>>::zeroed(8 << 20, GFP_KERNEL)?;
    if !page_info::is_vmalloc(&block) {
        return Ok(());
    }
    for start in [0, 1, 5000, 4 << 20, (8 << 20) - 1] {
        for len in [1, 4096, 100_000] {
            let Some(part) = block.get(start..(8 << 20).min(start + len)) else {
                continue;
            };
            let mapped = page_info::mapped(part)?;
            // At least to the end of the page, at most to the end of the block.
            holds!(mapped >= part.len());
            holds!((start + mapped) % PAGE_SIZE == 0);
            holds!(start + mapped <= 8 << 20);
        }
    }
    holds!(page_info::mapped(&[]).is_err());
    drop(block);
    holds!(live::<Areas>() == 0);
    Ok(())
}

/// The number of words of the largest per-CPU value.
const WORDS: usize = 4096;

/// A word that counts its live instances.
struct Word(Atomic<u64>);

static WORDS_LIVE: Atomic<i64> = Atomic::new(0);

impl Word {
    fn new(word: u64) -> Self {
        WORDS_LIVE.fetch_add(1, Relaxed);
        Word(Atomic::new(word))
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        WORDS_LIVE.fetch_add(-1, Relaxed);
    }
}

/// Allocates values of 32 KiB for every CPU, the largest possible size, and values whose
/// initializer fails in the middle.
pub(super) fn per_cpu(_: &Attacker) -> Result {
    type Value = [Word; WORDS];
    let values = PerCpu::<Value>::pin_init(GFP_KERNEL, |cpu| {
        let cpu = u64::from(cpu.as_u32());
        pin_init::init_array_from_fn(move |word| Word::new(cpu + word as u64))
    })?;
    let mut cpus = 0;
    for (cpu, value) in values.iter() {
        cpus += 1;
        let first = u64::from(cpu.as_u32());
        let mut words = value.iter().enumerate();
        holds!(words.all(|(nth, word)| word.0.load(Relaxed) == first + nth as u64));
    }
    holds!(WORDS_LIVE.load(Relaxed) == cpus * WORDS as i64);
    drop(values);
    holds!(WORDS_LIVE.load(Relaxed) == 0);
    for failing in [0, 1, WORDS, WORDS + 1, 2 * WORDS - 1] {
        let made = Atomic::new(0);
        let values = PerCpu::<Value>::pin_init(GFP_KERNEL, |_| {
            pin_init::init_array_from_fn(|_| {
                let in_time = made.fetch_add(1, Relaxed) < failing as i64;
                in_time.then(|| Word::new(0)).ok_or(EIO)
            })
        });
        holds!(failing >= cpus as usize * WORDS || values.is_err());
        drop(values);
        holds!(WORDS_LIVE.load(Relaxed) == 0);
    }
    Ok(())
}
