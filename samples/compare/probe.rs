// SPDX-License-Identifier: GPL-2.0-only

//! The measurements that are common to all APIs whose blocks can have any size.

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

/// The maximum number of sizes to follow: more than kmalloc has.
const STEPS: usize = 32;
/// The number of blocks to check of one size, and of a size of at most a page.
const LOOKS: usize = 8;
const SMALL_LOOKS: usize = 32;
/// The limit of a block's size and of the live memory, on any machine.
const MOST: usize = 32 << 20;

/// Returns the flags for allocations that may fail.
fn quiet() -> Flags {
    GFP_KERNEL | __GFP_NOWARN
}

/// Returns the flags for allocations that must not sleep.
pub(crate) fn atomic() -> Flags {
    GFP_ATOMIC | __GFP_NOWARN
}

/// Returns the maximum live memory of a measurement: an eighth of the free memory.
pub(crate) fn budget() -> usize {
    (page_info::free() / 8).min(MOST)
}

/// Measures the properties that all APIs have. Returns the cost of a pair.
///
/// # Errors
///
/// - [`EINTR`] if the reader has a pending signal.
/// - [`ENOMEM`] if there is not enough memory.
/// - [`EIO`] if a block violates a guarantee of its API.
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

/// Adds the properties that follow from the flags of the plain calls, without `z` and `__GFP_ZERO`.
pub(crate) fn flags(table: &mut Table, api: &'static str) -> Result {
    let sleeps = Gfp::from(GFP_KERNEL).may_sleep();
    let zeroed = page_info::comes_zeroed(GFP_KERNEL);
    table.add(api, "zeroed_unasked", Value::Flag(zeroed))?;
    table.state(api, "may_sleep", Value::Flag(sleeps))?;
    // A call that may sleep must not be tried in atomic context.
    table.state(api, "preempt_off_sleeping", Value::Forbidden)
}

/// Returns the bytes that the allocator reserves for `size` bytes, or `None` if it has no such
/// block.
///
/// KFENCE occasionally serves a small block, which has exactly the requested size. The largest of
/// several blocks is therefore the regular one.
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

/// The sizes of an API's blocks.
pub(crate) struct Sizes {
    /// The sizes in ascending order. Each is the size that the allocator reserves for one byte more
    /// than the previous size.
    pub(crate) list: KVec<usize>,
    /// A flag: the list reaches the last step or the largest block, because all the memory was
    /// free.
    pub(crate) complete: bool,
}

/// Follows the sizes of blocks.
///
/// # Errors
///
/// [`EIO`] if a block has less than the requested bytes, or a block above the API's limit was
/// allocated.
pub(crate) fn sizes<A: Api>() -> Result<Sizes> {
    let mut list = KVec::with_capacity(STEPS, GFP_KERNEL)?;
    let mut size = 0;
    while list.len() < STEPS && size < A::limit() {
        // The next size may be twice as large.
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

/// Returns the largest size to try on this machine: a power of two, at most a sixteenth of its
/// memory.
///
/// The size depends on nothing that changes, so that the result does not change either.
fn largest_tried() -> usize {
    let share = (vmalloc::max_size() / 16).max(PAGE_SIZE);
    // `ilog2` calls a function that objtool does not recognize as a panic.
    MOST.min(1 << share.checked_ilog2().unwrap_or_default())
}

/// Returns the largest block that was allocated, or the largest size that was tried. The result is
/// unknown if such a block is possible, but its memory is not free.
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

/// Checks blocks of all sizes, several at a time.
///
/// The sizes are those of the API, and some odd ones, for which a virtually contiguous block has
/// pages from several places.
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
        // The number of large blocks is small, because zeroing them is slow.
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

/// Returns whether a zeroed allocation returns zeroes after its memory was written.
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

/// Returns whether a call that does not sleep can allocate a block while preemption is disabled.
fn preempt_off<A: Api>() -> Result<Value> {
    without_preemption(A::site(), || A::zeroed(PAGE_SIZE, atomic()))
}

/// Calls `alloc` with preemption disabled. Its result is dropped with preemption enabled, since
/// freeing may sleep.
///
/// The value is `yes` if a block was allocated in a context that was known to be atomic. It is `no`
/// if the site counted the failure as an invalid request. Otherwise there was not enough memory.
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
