// SPDX-License-Identifier: GPL-2.0-only

//! Pages that one CPU passes to another through a ring: Brouer's page_bench05.
//!
//! The C side uses the kernel's ring of pointers. The Rust side uses a ring of owners, whose lock
//! is taken for each block as well.

use crate::{
    c,
    case::{
        Case,
        Side, //
    },
    fixture::Fixture,
    touch::touch_bytes, //
};
use core::mem::MaybeUninit;
use kalloc::{
    Order,
    Pages, //
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::SpinLock, //
};

kalloc::sites! {
    /// The blocks in the rings.
    Blocks: pages, "bench_ring";
}

/// A block whose bytes are never read.
type Uninit = Pages<Blocks, MaybeUninit<u8>>;

struct Ring {
    places: KVVec<Option<Uninit>>,
    produced: usize,
    consumed: usize,
}

impl Ring {
    fn new(len: usize) -> Result<Pin<KBox<SpinLock<Ring>>>> {
        let mut places = KVVec::with_capacity(len, GFP_KERNEL)?;
        for _ in 0..len {
            let _ = places.push_within_capacity(None);
        }
        let ring = Ring {
            places,
            produced: 0,
            consumed: 0,
        };
        KBox::pin_init(new_spinlock!(ring), GFP_KERNEL)
    }

    /// Puts a block into the ring; a full ring drops it.
    fn produce(&mut self, block: Uninit) {
        if let Some(place) = self.places.get_mut(self.produced) {
            *place = Some(block);
            self.produced += 1;
        }
    }

    /// Takes the next block out of the ring.
    fn consume(&mut self) -> Option<Uninit> {
        let block = self.places.get_mut(self.consumed)?.take();
        self.consumed += 1;
        block
    }
}

/// Allocates `n` blocks on each CPU; then each CPU frees those of the next one.
#[inline(never)]
fn ring(_: &Fixture, n: usize, order: usize) -> Result {
    let order = Order::new(u32::try_from(order)?)?;
    let mut rings = KVVec::with_capacity(c::cpus(), GFP_KERNEL)?;
    for _ in 0..c::cpus() {
        rings.push(Ring::new(n)?, GFP_KERNEL)?;
    }
    c::on_cpus(&|nth| {
        let ring = rings.get(nth).ok_or(EINVAL)?;
        for _ in 0..n {
            let mut block = Uninit::uninit(order, GFP_KERNEL)?;
            touch_bytes(&mut block);
            ring.lock().produce(block);
        }
        Ok(())
    })?;
    c::on_cpus(&|nth| {
        let ring = rings.get(nth + 1).or(rings.first()).ok_or(EINVAL)?;
        while let Some(block) = ring.lock().consume() {
            drop(block);
        }
        Ok(())
    })
}

const RING: &str = "page_bench05";

macro_rules! orders {
    ($($order:literal)*) => {
        /// The cases of rings, by order.
        pub(crate) const CASES: &[Case] = &[
            $(
                Case::new(RING, Side::C, $order, c::pages_ring).on_cpus().times(100),
                Case::new(RING, Side::Kalloc, $order, ring).on_cpus().times(100),
            )*
        ];
    };
}

orders! { 0 1 2 3 }
