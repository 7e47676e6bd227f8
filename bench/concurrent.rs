// SPDX-License-Identifier: GPL-2.0-only

//! Boxes and pages on all CPUs at the same time: Lameter's concurrent tests.

use crate::{
    c,
    case::{
        Case,
        Side, //
    },
    kmalloc::pairs,
    pages,
    touch::{
        touch,
        touch_bytes, //
    }, //
};
use kalloc::{
    page::StructPage, //
    Kmalloc,
    Order,
    Pages,
};
use kernel::{
    alloc::{
        allocator,
        Allocator,
        Box, //
    },
    new_mutex,
    prelude::*, //
};

/// The CPUs that run a phase.
#[derive(Clone, Copy)]
enum Who {
    /// Each CPU runs its own part.
    Each,
    /// The first CPU runs all parts.
    One,
}

/// Runs `part` for each CPU's number.
fn share(who: Who, part: impl Fn(usize) -> Result + Sync) -> Result {
    c::on_cpus(&|nth| match (who, nth) {
        (Who::Each, _) => part(nth),
        (Who::One, 0) => (0..c::cpus()).try_for_each(&part),
        (Who::One, _) => Ok(()),
    })
}

/// Runs the pairs on each CPU.
fn all_pairs(pairs: impl Fn() -> Result + Sync) -> Result {
    share(Who::Each, |_| pairs())?;
    share(Who::Each, |_| Ok(()))
}

/// Allocates `n` blocks for each CPU, then frees them.
#[inline(always)]
fn alloc_then_free<B: Send>(
    n: usize,
    allocates: Who,
    frees: Who,
    make: impl Fn() -> Result<B> + Sync,
) -> Result {
    let mut parts = KVVec::with_capacity(c::cpus(), GFP_KERNEL)?;
    for _ in 0..c::cpus() {
        let part = KVVec::<B>::with_capacity(n, GFP_KERNEL)?;
        parts.push(KBox::pin_init(new_mutex!(part), GFP_KERNEL)?, GFP_KERNEL)?;
    }
    share(allocates, |nth| {
        let mut part = parts.get(nth).ok_or(EINVAL)?.lock();
        for _ in 0..n {
            let _ = part.push_within_capacity(make()?);
        }
        Ok(())
    })?;
    share(frees, |nth| {
        parts.get(nth).ok_or(EINVAL)?.lock().clear();
        Ok(())
    })
}

#[inline(never)]
fn boxes<T: Send, A: Allocator>(n: usize, allocates: Who, frees: Who) -> Result {
    alloc_then_free(n, allocates, frees, || {
        let mut block = Box::<T, A>::new_uninit(GFP_KERNEL)?;
        touch(&mut *block);
        Ok(block)
    })
}

#[inline(never)]
fn blocks(n: usize, order: usize, allocates: Who, frees: Who) -> Result {
    let order = Order::new(u32::try_from(order)?)?;
    alloc_then_free(n, allocates, frees, || {
        let mut block = Pages::<Blocks, _>::uninit(order, GFP_KERNEL)?;
        touch_bytes(&mut block);
        Ok(block)
    })
}

const ALL_PAIRS: &str = "N*(alloc free)";
const ALL_FREE: &str = "N*alloc N*free";
const REMOTE: &str = "N*remote free";
const ONE: &str = "1 alloc N free";
const PAGES_PAIRS: &str = "pages, N*(alloc free)";
const PAGES_FREE: &str = "pages, N*alloc N*free";
const PAGES_REMOTE: &str = "pages, N*remote free";
const PAGES_ONE: &str = "pages, 1 alloc N free";

/// The number of blocks per CPU: 100 blocks of 32 pages on each of 8 CPUs are 100 MiB.
const MANY_PAGES: usize = 100;

/// Defines the three sides of a scenario in which all blocks are allocated before one is freed.
macro_rules! sides {
    ($name:ident, $size:literal, $site:ident, $c:path, $allocates:ident, $frees:ident) => {
        [
            Case::new($name, Side::C, $size, $c).on_cpus(),
            Case::new($name, Side::Kalloc, $size, |_, n, _| {
                boxes::<[u8; $size], Kmalloc<$site>>(n, Who::$allocates, Who::$frees)
            })
            .on_cpus(),
            Case::new($name, Side::Upstream, $size, |_, n, _| {
                boxes::<[u8; $size], allocator::Kmalloc>(n, Who::$allocates, Who::$frees)
            })
            .on_cpus(),
        ]
    };
}

macro_rules! sizes {
    ($($site:ident $size:literal $name:literal)*) => {
        kalloc::sites! {
            $(
                #[doc = "Boxes of this size."]
                $site: kmalloc([u8; $size]), $name, percpu;
            )*
            /// Blocks of pages.
            Blocks: pages, "bench_all_pages";
        }

        /// The cases of boxes, by size.
        pub(crate) const BOXES: &[&[Case]] = &[
            $(
                &[
                    Case::new(ALL_PAIRS, Side::C, $size, c::all_pairs).on_cpus(),
                    Case::new(ALL_PAIRS, Side::Kalloc, $size, |_, n, _| {
                        all_pairs(|| pairs::<[u8; $size], Kmalloc<$site>>(n))
                    })
                    .on_cpus(),
                    Case::new(ALL_PAIRS, Side::Upstream, $size, |_, n, _| {
                        all_pairs(|| pairs::<[u8; $size], allocator::Kmalloc>(n))
                    })
                    .on_cpus(),
                ],
                &sides!(ALL_FREE, $size, $site, c::all_alloc_free, Each, Each),
                &sides!(REMOTE, $size, $site, c::remote_free, Each, One),
                &sides!(ONE, $size, $site, c::one_allocates, One, Each),
            )*
        ];
    };
}

sizes! {
    Box8 8 "bench_all_8"
    Box16 16 "bench_all_16"
    Box32 32 "bench_all_32"
    Box64 64 "bench_all_64"
    Box128 128 "bench_all_128"
    Box256 256 "bench_all_256"
    Box512 512 "bench_all_512"
    Box1024 1024 "bench_all_1024"
    Box2048 2048 "bench_all_2048"
    Box4096 4096 "bench_all_4096"
}

macro_rules! orders {
    ($($order:literal)*) => {
        /// The cases of pages, by order. They allocate fewer blocks, for which the memory suffices.
        pub(crate) const PAGES: &[&[Case]] = &[
            $(
                &[
                    Case::new(PAGES_PAIRS, Side::C, $order, c::pages_all_pairs).on_cpus().times(MANY_PAGES),
                    Case::new(PAGES_PAIRS, Side::Kalloc, $order, |f, n, order| {
                        all_pairs(|| pages::pairs_any::<StructPage>(f, n, order))
                    })
                    .on_cpus()
                    .times(MANY_PAGES),
                    Case::new(PAGES_FREE, Side::C, $order, c::pages_all_alloc_free).on_cpus().times(MANY_PAGES),
                    Case::new(PAGES_FREE, Side::Kalloc, $order, |_, n, order| {
                        blocks(n, order, Who::Each, Who::Each)
                    })
                    .on_cpus()
                    .times(MANY_PAGES),
                    Case::new(PAGES_REMOTE, Side::C, $order, c::pages_remote_free).on_cpus().times(MANY_PAGES),
                    Case::new(PAGES_REMOTE, Side::Kalloc, $order, |_, n, order| {
                        blocks(n, order, Who::Each, Who::One)
                    })
                    .on_cpus()
                    .times(MANY_PAGES),
                    Case::new(PAGES_ONE, Side::C, $order, c::pages_one_allocates).on_cpus().times(MANY_PAGES),
                    Case::new(PAGES_ONE, Side::Kalloc, $order, |_, n, order| {
                        blocks(n, order, Who::One, Who::Each)
                    })
                    .on_cpus()
                    .times(MANY_PAGES),
                ],
            )*
        ];
    };
}

orders! { 0 1 2 3 4 5 }
