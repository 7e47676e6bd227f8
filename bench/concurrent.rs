// SPDX-License-Identifier: GPL-2.0

//! Boxes on all CPUs at the same time: Lameter's concurrent tests.

use crate::{
    c,
    case::{
        Case,
        Side, //
    },
    kmalloc::pairs,
    touch::touch, //
};
use core::mem::MaybeUninit;
use kalloc::Kmalloc;
use kernel::{
    alloc::{
        allocator,
        Allocator,
        Box, //
    },
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

/// Who does something.
#[derive(Clone, Copy)]
enum Who {
    /// Each CPU its own part.
    Each,
    /// The first CPU everybody's.
    One,
}

/// Does `part` for each CPU's number.
fn share(who: Who, part: impl Fn(usize) -> Result + Sync) -> Result {
    c::on_cpus(&|nth| match (who, nth) {
        (Who::Each, _) => part(nth),
        (Who::One, 0) => (0..c::cpus()).try_for_each(&part),
        (Who::One, _) => Ok(()),
    })
}

/// Each CPU allocates and frees `n` boxes, one after the other.
fn all_pairs<T, A: Allocator>(n: usize) -> Result {
    share(Who::Each, |_| pairs::<T, A>(n))?;
    share(Who::Each, |_| Ok(()))
}

/// `n` boxes for each CPU are allocated, and then freed.
fn alloc_then_free<T: Send, A: Allocator>(n: usize, allocates: Who, frees: Who) -> Result {
    let mut parts = KVVec::with_capacity(c::cpus(), GFP_KERNEL)?;
    for _ in 0..c::cpus() {
        let part = KVVec::<Box<MaybeUninit<T>, A>>::with_capacity(n, GFP_KERNEL)?;
        parts.push(KBox::pin_init(new_mutex!(part), GFP_KERNEL)?, GFP_KERNEL)?;
    }
    share(allocates, |nth| {
        let mut part = parts.get(nth).ok_or(EINVAL)?.lock();
        for _ in 0..n {
            let mut block = Box::<T, A>::new_uninit(GFP_KERNEL)?;
            touch(&mut *block);
            let _ = part.push_within_capacity(block);
        }
        Ok(())
    })?;
    share(frees, |nth| {
        parts.get(nth).ok_or(EINVAL)?.lock().clear();
        Ok(())
    })
}

const ALL_PAIRS: &str = "N*(alloc free)";
const ALL_FREE: &str = "N*alloc N*free";
const REMOTE: &str = "N*remote free";
const ONE: &str = "1 alloc N free";

/// One scenario on each side.
macro_rules! sides {
    ($name:ident, $size:literal, $site:ident, $c:path, $run:ident $(, $who:ident)*) => {
        [
            Case::new($name, Side::C, $size, $c).on_cpus(),
            Case::new($name, Side::Kalloc, $size, |_, n, _| {
                $run::<[u8; $size], Kmalloc<$site>>(n $(, Who::$who)*)
            })
            .on_cpus(),
            Case::new($name, Side::Upstream, $size, |_, n, _| {
                $run::<[u8; $size], allocator::Kmalloc>(n $(, Who::$who)*)
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
        }

        /// By size.
        pub(crate) const CASES: &[&[Case]] = &[
            $(
                &sides!(ALL_PAIRS, $size, $site, c::all_pairs, all_pairs),
                &sides!(ALL_FREE, $size, $site, c::all_alloc_free, alloc_then_free, Each, Each),
                &sides!(REMOTE, $size, $site, c::remote_free, alloc_then_free, Each, One),
                &sides!(ONE, $size, $site, c::one_allocates, alloc_then_free, One, Each),
            )*
        ];
    };
}

sizes! {
    Box8 8 "bench_all_8"
    Box64 64 "bench_all_64"
    Box512 512 "bench_all_512"
    Box4096 4096 "bench_all_4096"
}
