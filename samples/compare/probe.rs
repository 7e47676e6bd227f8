// SPDX-License-Identifier: GPL-2.0

//! The measurements that are the same for all APIs whose blocks can have any size.

#![deny(unsafe_code)]

use super::{
    api::Api,
    cost::{
        self,
        Watch, //
    },
    seen::Seen,
    table::Table,
    value::Value, //
};
use kalloc::{
    context,
    memory,
    Gfp, //
};
use kernel::{
    alloc::{
        flags::__GFP_NOWARN,
        Flags, //
    },
    new_spinlock,
    page::PAGE_SIZE,
    prelude::*, //
};

/// How many steps of size to follow: more than kmalloc has.
const STEPS: usize = 32;
/// Blocks of one size to look at.
const LOOKS: usize = 8;
/// No block is larger, and no more memory is live, whatever the machine has.
const MOST: usize = 64 << 20;
/// What the search for the largest block may take.
const LARGEST_NS: u64 = 300_000_000;

/// For what may fail.
fn quiet() -> Flags {
    GFP_KERNEL | __GFP_NOWARN
}

/// For what must not sleep.
pub(crate) fn atomic() -> Flags {
    GFP_ATOMIC | __GFP_NOWARN
}

/// The most memory that a measurement may have live: an eighth of what is free.
pub(crate) fn budget() -> usize {
    (memory::free() / 8).min(MOST)
}

/// Measures everything that every API is asked, and returns what a pair costs.
///
/// # Errors
///
/// [`EINTR`] if somebody wants the reader to stop; [`ENOMEM`]; [`EIO`] if a block is not what it
/// must be.
pub(crate) fn api<A: Api>(table: &mut Table) -> Result<u64> {
    let sizes = sizes::<A>()?;
    let smallest = sizes.first().copied().ok_or(ENOMEM)?;
    table.add(A::NAME, "smallest", Value::Bytes(smallest))?;
    table.add(A::NAME, "largest", largest::<A>())?;
    table.add(A::NAME, "unit", Value::unit_of(&sizes)?)?;
    looks::<A>(&sizes)?.report(table, A::NAME)?;
    table.add(A::NAME, "zeroed_asked", zeroed::<A>()?)?;
    flags(table, A::NAME)?;
    table.add(A::NAME, "preempt_off", preempt_off::<A>()?)?;
    let cost = cost::of(A::pair)?;
    table.add(A::NAME, "cost_ns", Value::Count(cost))?;
    Ok(cost)
}

/// What follows from the flags of the plain calls, those without z and without `__GFP_ZERO`.
pub(crate) fn flags(table: &mut Table, api: &'static str) -> Result {
    let sleeps = Gfp::from(GFP_KERNEL).may_sleep();
    let zeroed = memory::comes_zeroed(GFP_KERNEL);
    table.add(api, "zeroed_unasked", Value::Flag(zeroed))?;
    table.add(api, "may_sleep", Value::Flag(sleeps))?;
    // What may sleep must not be tried while sleeping is forbidden.
    table.add(api, "preempt_off_sleeping", Value::Forbidden)
}

/// What the allocator sets aside for `size` bytes, none if it has no such block.
///
/// Now and then KFENCE serves a small block, to guard it, which has no byte more than asked for: the
/// largest of some blocks is what others get.
fn set_aside<A: Api>(size: usize) -> Result<Option<usize>> {
    let mut most = None;
    for _ in 0..if size < PAGE_SIZE { LOOKS } else { 1 } {
        let Some(block) = A::zeroed(size, quiet()) else {
            break;
        };
        most = most.max(Some(A::set_aside(&block)?));
    }
    Ok(most)
}

/// The sizes of blocks in ascending order: each is what the allocator sets aside for one byte more
/// than the size before it.
pub(crate) fn sizes<A: Api>() -> Result<KVec<usize>> {
    let mut sizes = KVec::with_capacity(STEPS, GFP_KERNEL)?;
    let mut size = 0;
    // The next one may be twice as large.
    while sizes.len() < STEPS && 2 * size <= budget() {
        let Some(set_aside) = set_aside::<A>(size + 1)? else {
            break;
        };
        if set_aside <= size {
            return Err(EIO);
        }
        size = set_aside;
        sizes.push(size, GFP_KERNEL)?;
    }
    Ok(sizes)
}

/// The largest block that can be had: doubled while that works, then bisected to the page.
fn largest<A: Api>() -> Value {
    let watch = Watch::start();
    let had = |size| A::zeroed(size, quiet()).is_some();
    let mut good = PAGE_SIZE;
    while had(2 * good) {
        good *= 2;
        if good < A::limit() && (2 * good > budget() || watch.ns() > LARGEST_NS) {
            return Value::Reached(good);
        }
    }
    let mut bad = 2 * good;
    while bad - good > PAGE_SIZE {
        let middle = (good + bad) / 2;
        if had(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    if good < A::limit() {
        // There can be larger ones, but none is free.
        return Value::Reached(good);
    }
    Value::Bytes(good)
}

/// Looks at blocks of all sizes, some at a time: those that there are, and some odd ones, whose pages
/// a virtually contiguous block has from several places.
fn looks<A: Api>(sizes: &[usize]) -> Result<Seen> {
    let odd = [3, 33, 257, 1025].map(|pages| pages * PAGE_SIZE);
    let mut seen = Seen::nothing();
    for &size in [sizes, &odd].into_iter().flatten() {
        if size > budget() {
            continue;
        }
        let mut blocks = KVec::with_capacity(LOOKS, GFP_KERNEL)?;
        // Few of the large ones: they are slow to be zeroed.
        let bytes = (budget() / 4).min(4 << 20);
        for _ in 0..bytes.checked_div(size).unwrap_or(bytes).clamp(1, LOOKS) {
            let Some(block) = A::zeroed(size, quiet()) else {
                break;
            };
            seen.look_at(&block, A::set_aside(&block)?)?;
            blocks.push(block, GFP_KERNEL)?;
        }
    }
    Ok(seen)
}

/// Whether memory that was written to comes zeroed, when asked for.
fn zeroed<A: Api>() -> Result<Value> {
    let mut zeroed = true;
    for size in [64, PAGE_SIZE, 4 * PAGE_SIZE] {
        for _ in 0..LOOKS {
            let mut block = A::zeroed(size, quiet()).ok_or(ENOMEM)?;
            zeroed &= block.iter().all(|&byte| byte == 0);
            block.fill(0xa5);
        }
    }
    Ok(Value::Flag(zeroed))
}

/// Whether a block can be had while preemption is off, from a call that does not sleep.
fn preempt_off<A: Api>() -> Result<Value> {
    without_preemption(|| A::zeroed(PAGE_SIZE, atomic()))
}

/// Calls `alloc` with preemption off; what it returns is dropped with preemption on again, since
/// freeing may sleep.
///
/// A block is `yes` only if sleeping really was forbidden meanwhile.
pub(crate) fn without_preemption<T>(alloc: impl FnOnce() -> Option<T>) -> Result<Value> {
    pin_init::stack_pin_init!(let lock = new_spinlock!(()));
    let guard = lock.lock();
    let block = alloc();
    let off = context::is_atomic();
    drop(guard);
    Ok(Value::Flag(off && block.is_some()))
}
