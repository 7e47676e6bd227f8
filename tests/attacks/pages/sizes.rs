// SPDX-License-Identifier: GPL-2.0

//! Sizes: what blocks are said to take, what is said to be mapped, and values that are large.

use super::Areas;
use crate::attack::{
    live,
    Attacker, //
};
use kalloc::{
    memory,
    percpu::PerCpu,
    Array,
    KVmalloc,
    Tag, //
};
use kernel::{
    cpu::CpuId,
    page::PAGE_SIZE,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Blocks of 8 MiB become blocks of 10 bytes. What a site counts as allocated must be what they take.
pub(super) fn shrunk(_: &Attacker) -> Result {
    const BLOCKS: usize = 6;
    const SIZE: usize = 8 << 20;
    let mut blocks = KVec::new();
    let before = memory::free();
    for _ in 0..BLOCKS {
        let block = Array::<u8, KVmalloc<Areas>>::zeroed(SIZE, GFP_KERNEL)?;
        blocks.push(block, GFP_KERNEL)?;
    }
    holds!(Areas::site().totals().live_allocated >= (BLOCKS * SIZE) as u64);
    for block in &mut blocks {
        block.resize(10, GFP_KERNEL)?;
    }
    let taken = before.saturating_sub(memory::free());
    let totals = Areas::site().totals();
    pr_info!(
        "{BLOCKS} blocks: {} bytes, {} allocated, {taken} taken\n",
        totals.live_bytes,
        totals.live_allocated
    );
    holds!(totals.live_bytes == (BLOCKS * 10) as u64);
    // Others take and free memory meanwhile.
    holds!(taken < totals.live_allocated as usize + SIZE);
    drop(blocks);
    let totals = Areas::site().totals();
    holds!((totals.live(), totals.live_bytes, totals.live_allocated) == (0, 0, 0));
    Ok(())
}

/// Blocks are asked how much of them is mapped; there need not be a hole behind them.
pub(super) fn mapped(_: &Attacker) -> Result {
    let block = Array::<u8, KVmalloc<Areas>>::zeroed(8 << 20, GFP_KERNEL)?;
    if !memory::is_vmalloc(&block) {
        return Ok(());
    }
    for start in [0, 1, 5000, 4 << 20, (8 << 20) - 1] {
        for len in [1, 4096, 100_000] {
            let Some(part) = block.get(start..(8 << 20).min(start + len)) else {
                continue;
            };
            let mapped = memory::mapped(part)?;
            // To the end of a page, at least; the block's, at most.
            holds!(mapped >= part.len());
            holds!((start + mapped) % PAGE_SIZE == 0);
            holds!(start + mapped <= 8 << 20);
        }
    }
    holds!(memory::mapped(&[]).is_err());
    drop(block);
    holds!(live::<Areas>() == 0);
    Ok(())
}

/// As large as a value may be that is returned.
struct Value([Atomic<u64>; Value::WORDS]);

impl Value {
    const WORDS: usize = 4096;

    #[inline(never)]
    fn new(cpu: CpuId) -> Self {
        Value(core::array::from_fn(|word| {
            Atomic::new(u64::from(cpu.as_u32()) + word as u64)
        }))
    }

    fn last(&self) -> u64 {
        self.0.last().map_or(0, |word| word.load(Relaxed))
    }
}

/// Values of that size for every CPU, made by a function, and by one that the compiler puts in its place.
pub(super) fn per_cpu(_: &Attacker) -> Result {
    let sum = |values: &PerCpu<Value>| -> u64 {
        let last = |(cpu, value): (CpuId, &Value)| value.last() - u64::from(cpu.as_u32());
        values.iter().map(last).sum()
    };
    let values = PerCpu::new(GFP_KERNEL, Value::new)?;
    holds!(sum(&values) % (Value::WORDS as u64 - 1) == 0);
    let values = PerCpu::new(GFP_KERNEL, |cpu| {
        Value(core::array::from_fn(|word| {
            Atomic::new(u64::from(cpu.as_u32()) + word as u64)
        }))
    })?;
    holds!(sum(&values) % (Value::WORDS as u64 - 1) == 0);
    Ok(())
}
