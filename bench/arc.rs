// SPDX-License-Identifier: GPL-2.0-only

//! Reference-counted pointers, against those of the kernel crate.

use crate::{
    case::{
        Case,
        Side, //
    },
    touch::touch,
    uncounted::Uncounted, //
};
use core::mem::MaybeUninit;
use kalloc::ArcInner;
use kernel::{
    alloc::Box,
    prelude::*,
    sync::{
        self,
        Refcount, //
    }, //
};

/// The values, whose block is of 64 bytes.
type Value = [u64; 7];

kalloc::sites! {
    /// Values with their reference counts.
    Shared: kmalloc(ArcInner<MaybeUninit<Value>>), "bench_arc";
}

/// Allocates a shared value, clones its pointer, and drops both.
macro_rules! pairs {
    ($unique:ty, $arc:ty) => {
        |_, n, _| {
            for _ in 0..n {
                let mut unique = <$unique>::new_uninit(GFP_KERNEL)?;
                touch(&mut *unique);
                let shared = <$arc>::from(unique);
                drop(shared.clone());
            }
            Ok(())
        }
    };
}

/// A value with its reference count, in a block of kalloc that is not counted.
struct Inner {
    refcount: Refcount,
    value: MaybeUninit<Value>,
}

/// Does the same as [`pairs`], without counting.
#[inline(never)]
fn uncounted(n: usize) -> Result {
    for _ in 0..n {
        let inner = Inner {
            refcount: Refcount::new(1),
            value: MaybeUninit::uninit(),
        };
        let mut block = Box::<_, Uncounted>::new(inner, GFP_KERNEL)?;
        touch(&mut block.value);
        block.refcount.inc();
        for _ in 0..2 {
            if block.refcount.dec_and_test() {
                drop(block);
                break;
            }
        }
    }
    Ok(())
}

const PAIRS: &str = "Arc: alloc/clone/free";

/// The cases, by the size of the value.
pub(crate) const CASES: &[Case] = &[
    Case::new(
        PAIRS,
        Side::Kalloc,
        size_of::<Value>(),
        pairs!(kalloc::UniqueArc<Value, Shared>, kalloc::Arc<MaybeUninit<Value>, Shared>),
    ),
    Case::new(PAIRS, Side::Uncounted, size_of::<Value>(), |_, n, _| {
        uncounted(n)
    }),
    Case::new(
        PAIRS,
        Side::Upstream,
        size_of::<Value>(),
        pairs!(sync::UniqueArc<Value>, sync::Arc<MaybeUninit<Value>>),
    ),
];
