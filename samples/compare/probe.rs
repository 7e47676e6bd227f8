// SPDX-License-Identifier: GPL-2.0

//! The measurements that are the same for all APIs whose blocks can have any size.

#![deny(unsafe_code)]

use super::{
    api::Api,
    cost,
    seen::Seen,
    table::Table,
    value::Value, //
};
use kalloc::{
    alloc::vmalloc,
    mm::page_info,
    sys::context, //
    Gfp,
    Site,
    Zone,
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
/// Blocks of one size to look at, and of one that is no more than a page.
const LOOKS: usize = 8;
const SMALL_LOOKS: usize = 32;
/// No block is larger, and no more memory is live, whatever the machine has.
const MOST: usize = 32 << 20;

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
    (page_info::free() / 8).min(MOST)
}

/// Measures everything that every API is asked, and returns what a pair costs.
///
/// # Errors
///
/// [`EINTR`] if somebody wants the reader to stop; [`ENOMEM`]; [`EIO`] if a block is not what it
/// must be.
pub(crate) fn api<A: Api>(table: &mut Table) -> Result<u64> {
    let sizes = sizes::<A>()?;
    let smallest = sizes.list.first().copied().ok_or(ENOMEM)?;
    let unit = match sizes.complete {
        true => Value::unit_of(&sizes.list)?,
        false => Value::Unknown,
    };
    table.add(A::NAME, "smallest", Value::Bytes(smallest))?;
    table.add(A::NAME, "largest", largest::<A>())?;
    table.add(A::NAME, "unit", unit)?;
    looks::<A>(&sizes.list)?.report(table, A::NAME)?;
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
    let zeroed = page_info::comes_zeroed(GFP_KERNEL);
    table.add(api, "zeroed_unasked", Value::Flag(zeroed))?;
    table.state(api, "may_sleep", Value::Flag(sleeps))?;
    // What may sleep must not be tried while sleeping is forbidden.
    table.state(api, "preempt_off_sleeping", Value::Forbidden)
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

/// Sizes of blocks.
pub(crate) struct Sizes {
    /// In ascending order: each is what the allocator sets aside for one byte more than the size
    /// before it.
    pub(crate) list: KVec<usize>,
    /// True if the list goes up to the last step or the largest block: the memory for each was free.
    pub(crate) complete: bool,
}

/// Follows the sizes of blocks.
///
/// # Errors
///
/// [`EIO`] if a block has less than what was asked for, or one can be had that is larger than the
/// largest.
pub(crate) fn sizes<A: Api>() -> Result<Sizes> {
    let mut list = KVec::with_capacity(STEPS, GFP_KERNEL)?;
    let mut size = 0;
    while list.len() < STEPS && size < A::limit() {
        // The next one may be twice as large.
        let next = match 2 * size <= budget() {
            true => set_aside::<A>(size + 1)?,
            false => None,
        };
        let Some(next) = next else {
            return Ok(Sizes {
                list,
                complete: false,
            });
        };
        if next <= size || next > A::limit() {
            return Err(EIO);
        }
        size = next;
        list.push(size, GFP_KERNEL)?;
    }
    Ok(Sizes {
        list,
        complete: true,
    })
}

/// The largest block that is tried, given the memory of the machine: a power of two, at most a
/// sixteenth.
///
/// It depends on nothing that changes, and so neither does what is found.
fn largest_tried() -> usize {
    let share = (vmalloc::max_size() / 16).max(PAGE_SIZE);
    // `ilog2` calls a function that objtool does not know to panic.
    MOST.min(1 << share.checked_ilog2().unwrap_or_default())
}

/// The largest block that can be had, or the largest that is tried. Unknown if there can be such a
/// block, but the memory for it is not free.
fn largest<A: Api>() -> Value {
    let (limit, tried) = (A::limit(), largest_tried());
    let size = limit.min(tried);
    if size > budget() || A::zeroed(size, quiet()).is_none() {
        return Value::Unknown;
    }
    if limit <= tried && A::zeroed(limit + 1, quiet()).is_none() {
        return Value::Bytes(limit);
    }
    Value::Reached(size)
}

/// Looks at blocks of all sizes, some at a time: those that there are, and some odd ones, whose pages
/// a virtually contiguous block has from several places.
fn looks<A: Api>(sizes: &[usize]) -> Result<Seen> {
    let odd = [3, 33, 257, 1025].map(|pages| pages * PAGE_SIZE);
    let mut seen = Seen::nothing(Zone::of_flags(GFP_KERNEL))?;
    for &size in [sizes, &odd].into_iter().flatten() {
        if size > budget() {
            continue;
        }
        let looks = if size <= PAGE_SIZE {
            SMALL_LOOKS
        } else {
            LOOKS
        };
        let mut blocks = KVec::with_capacity(looks, GFP_KERNEL)?;
        // Few of the large ones: they are slow to be zeroed.
        let bytes = (budget() / 4).min(4 << 20);
        for _ in 0..bytes.checked_div(size).unwrap_or(bytes).clamp(1, looks) {
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
    without_preemption(A::site(), || A::zeroed(PAGE_SIZE, atomic()))
}

/// Calls `alloc` with preemption off; what it returns is dropped with preemption on again, since
/// freeing may sleep.
///
/// A block is `yes` only if sleeping really was forbidden meanwhile. None is `no` if its site says
/// that there can be none; else there was no memory.
pub(crate) fn without_preemption<T>(
    site: &Site,
    alloc: impl FnOnce() -> Option<T>,
) -> Result<Value> {
    let refused = || site.totals().failures.invalid;
    let before = refused();
    pin_init::stack_pin_init!(let lock = new_spinlock!(()));
    let guard = lock.lock();
    let block = alloc();
    let off = context::known_atomic();
    drop(guard);
    Ok(match block {
        None if off && refused() == before => Value::Unknown,
        block => Value::Flag(off && block.is_some()),
    })
}
