// SPDX-License-Identifier: GPL-2.0-only

//! Slab caches: allocations one by one, and in batches.

use crate::{
    c,
    case::{
        Case,
        Side, //
    },
    fixture::Fixture,
    touch::touch, //
};
use core::mem::MaybeUninit;
use kalloc::{
    slab::Options, //
    KmemCache,
};
use kernel::prelude::*;

/// An object of the size of a `struct sk_buff`.
type Payload = MaybeUninit<[u64; 32]>;

kalloc::sites! {
    /// The objects of the cache.
    pub(crate) Objects: cache(Payload), "bench_cache";
}

/// Creates a cache like that of the C side.
pub(crate) fn create() -> Result<KmemCache<Objects>> {
    KmemCache::new(Options::new().hwcache_align())
}

#[inline(never)]
fn pairs(cache: &KmemCache<Objects>, n: usize) -> Result {
    for _ in 0..n {
        let slot = cache.reserve(GFP_KERNEL)?;
        touch(&mut *slot.write(MaybeUninit::uninit()));
    }
    Ok(())
}

/// Allocates `N` objects one by one, then frees them.
#[inline(never)]
fn one_by_one<const N: usize>(cache: &KmemCache<Objects>, n: usize) -> Result {
    for _ in 0..n {
        let mut objects = [const { None }; N];
        for place in &mut objects {
            let mut object = cache.reserve(GFP_KERNEL)?.write(MaybeUninit::uninit());
            touch(&mut *object);
            *place = Some(object);
        }
    }
    Ok(())
}

/// Allocates more objects than fit on the stack one by one, then frees them.
#[inline(never)]
fn one_by_one_in_memory(fixture: &Fixture, n: usize, count: usize) -> Result {
    let mut objects = KVVec::with_capacity(count, GFP_KERNEL)?;
    for _ in 0..n {
        for _ in 0..count {
            let mut object = fixture
                .cache
                .reserve(GFP_KERNEL)?
                .write(MaybeUninit::uninit());
            touch(&mut *object);
            let _ = objects.push_within_capacity(object);
        }
        objects.clear();
    }
    Ok(())
}

/// Fills a batch of `N`, uses all of its slots in place, and drops the batch.
#[inline(never)]
fn batch<const N: usize>(cache: &KmemCache<Objects>, n: usize) -> Result {
    for _ in 0..n {
        let mut batch = cache.batch::<N>();
        batch.fill(GFP_KERNEL)?;
        batch.slots_mut().for_each(touch);
    }
    Ok(())
}

/// Fills a batch of `N`, takes all objects out, puts them back, and drops the batch.
#[inline(never)]
fn take<const N: usize>(cache: &KmemCache<Objects>, n: usize) -> Result {
    for _ in 0..n {
        let mut batch = cache.batch::<N>();
        batch.fill(GFP_KERNEL)?;
        let mut objects = [const { None }; N];
        for place in &mut objects {
            let mut object = batch.pop().ok_or(EINVAL)?.write(MaybeUninit::uninit());
            touch(&mut *object);
            *place = Some(object);
        }
        for object in objects.into_iter().flatten() {
            batch.put(object);
        }
    }
    Ok(())
}

const FASTPATH: &str = "kmem fastpath reuse";
const FALLBACK: &str = "kmem bulk_fallback";
const BULK: &str = "kmem bulk_quick_reuse";
const TAKEN: &str = "batch, taken out and put back";

macro_rules! counts {
    ($($count:literal)* ; $($large:literal)*) => {
        /// The cases of slab caches, by the number of objects in a batch.
        pub(crate) const CASES: &[Case] = &[
            Case::new(FASTPATH, Side::C, 1, c::cache),
            Case::new(FASTPATH, Side::Kalloc, 1, |f, n, _| pairs(&f.cache, n)),
            $(
                Case::new(FALLBACK, Side::C, $count, c::cache_one_by_one).times(100).of($count),
                Case::new(FALLBACK, Side::Kalloc, $count, |f, n, _| one_by_one::<$count>(&f.cache, n))
                    .times(100)
                    .of($count),
                Case::new(BULK, Side::C, $count, c::cache_bulk).times(100).of($count),
                Case::new(BULK, Side::Kalloc, $count, |f, n, _| batch::<$count>(&f.cache, n))
                    .times(100)
                    .of($count),
                Case::new(TAKEN, Side::Kalloc, $count, |f, n, _| take::<$count>(&f.cache, n))
                    .times(100)
                    .of($count),
            )*
            $(
                Case::new(FALLBACK, Side::C, $large, c::cache_one_by_one).times(20).of($large),
                Case::new(FALLBACK, Side::Kalloc, $large, one_by_one_in_memory).times(20).of($large),
                Case::new(BULK, Side::C, $large, c::cache_bulk).times(20).of($large),
                Case::new(BULK, Side::Kalloc, $large, |f, n, _| batch::<$large>(&f.cache, n))
                    .times(20)
                    .of($large),
            )*
        ];
    };
}

// The numbers are Brouer's. The objects of the large ones do not fit on the stack.
counts! { 1 2 3 4 8 16 30 32 34 48 64; 128 158 250 }
