// SPDX-License-Identifier: GPL-2.0-only

//! Blocks of pages.

use crate::{
    c,
    case::{
        Case,
        Side, //
    },
    fixture::Fixture,
    touch::touch_bytes, //
};
use kalloc::{
    page::{
        Block,
        BlockKind,
        StructPage,
        Virt, //
    }, //
    Order,
    PageArray,
    Pages,
};
use kernel::{
    page::Page,
    prelude::*, //
};

kalloc::sites! {
    /// The blocks of pages.
    Blocks: pages, "bench_pages";
}

/// Allocates and frees a block `n` times, with an order that the compiler knows.
#[inline(never)]
fn pairs<K: BlockKind<Size = Order>, const ORDER: u32>(n: usize) -> Result {
    for _ in 0..n {
        touch_bytes(&mut Block::<K, Blocks, _>::uninit(
            Order::of::<ORDER>(),
            GFP_KERNEL,
        )?);
    }
    Ok(())
}

/// Allocates and frees a block `n` times, with an order that the compiler does not know.
#[inline(never)]
pub(crate) fn pairs_any<K: BlockKind<Size = Order>>(_: &Fixture, n: usize, order: usize) -> Result {
    let order = Order::new(u32::try_from(order)?)?;
    for _ in 0..n {
        touch_bytes(&mut Block::<K, Blocks, _>::uninit(order, GFP_KERNEL)?);
    }
    Ok(())
}

/// Measures the kernel crate, which only has pages of order 0.
#[inline(never)]
fn upstream(_: &Fixture, n: usize, _: usize) -> Result {
    for _ in 0..n {
        let _page = Page::alloc_page(GFP_KERNEL)?;
    }
    Ok(())
}

/// The number of live blocks of the first of Lameter's tests.
const MANY: usize = 100;

#[inline(never)]
fn many(_: &Fixture, n: usize, order: usize) -> Result {
    let order = Order::new(u32::try_from(order)?)?;
    let mut live = KVVec::with_capacity(MANY, GFP_KERNEL)?;
    for _ in 0..n {
        for _ in 0..MANY {
            let mut block = Pages::<Blocks, _>::uninit(order, GFP_KERNEL)?;
            touch_bytes(&mut block);
            let _ = live.push_within_capacity(block);
        }
        live.clear();
    }
    Ok(())
}

#[inline(never)]
fn bulk(_: &Fixture, n: usize, count: usize) -> Result {
    for _ in 0..n {
        PageArray::<Blocks>::zeroed(count, GFP_KERNEL)?;
    }
    Ok(())
}

const BY_PAGE: &str = "alloc_pages";
const BY_ADDRESS: &str = "__get_free_pages";
const STEP: &str = "page_bench01";
const BULK: &str = "page_bench04";
const REPEATEDLY: &str = "1. Alloc pages: Repeatedly allocate then free test";

macro_rules! orders {
    (const $($order:literal)* ; $($step:literal)* ; bulk $($count:literal)*) => {
        /// The cases of page blocks, by order.
        pub(crate) const CASES: &[Case] = &[
            $(
                Case::new(BY_PAGE, Side::C, $order, c::pages),
                Case::new(BY_PAGE, Side::Kalloc, $order, |_, n, _| pairs::<StructPage, $order>(n)),
                Case::new(BY_ADDRESS, Side::C, $order, c::free_pages),
                Case::new(BY_ADDRESS, Side::Kalloc, $order, |_, n, _| pairs::<Virt, $order>(n)),
            )*
            Case::new(BY_PAGE, Side::Upstream, 0, upstream),
            $(
                Case::new(STEP, Side::C, $step, c::pages),
                Case::new(STEP, Side::Kalloc, $step, pairs_any::<StructPage>),
                Case::new(REPEATEDLY, Side::C, $step, c::pages_many).times(1).of(MANY),
                Case::new(REPEATEDLY, Side::Kalloc, $step, many).times(1).of(MANY),
            )*
            $(
                Case::new(BULK, Side::C, $count, c::pages_bulk).times(50).of($count),
                Case::new(BULK, Side::Kalloc, $count, bulk).times(50).of($count),
            )*
        ];
    };
}

orders! { const 0 1 2 3; 0 1 2 3 4 5 6 7 8 9; bulk 1 2 3 4 8 16 32 64 128 }
