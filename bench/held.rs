// SPDX-License-Identifier: GPL-2.0-only

//! Allocations that are live while a case is measured.

use kalloc::{
    KBox,
    VBox, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// A small object, which is both held and allocated meanwhile.
pub(crate) type Object = [u8; 64];

kalloc::sites! {
    /// The small objects.
    pub(crate) Objects: kmalloc(Object), "bench_held", percpu;
    /// Pages in vmalloc memory.
    Pages: vmalloc([u8; PAGE_SIZE]), "bench_held_pages";
}

/// The allocations to hold.
#[derive(Clone, Copy)]
pub(crate) enum Held {
    /// A number of small objects.
    Objects(usize),
    /// A number of pages in vmalloc memory.
    Pages(usize),
    /// A number of pages in vmalloc memory, with a gap of one page before each.
    EveryOther(usize),
}

/// The live allocations.
pub(crate) struct Live {
    _objects: KVVec<KBox<Object, Objects>>,
    _pages: KVVec<Option<VBox<[u8; PAGE_SIZE], Pages>>>,
}

impl Held {
    /// No allocations.
    pub(crate) const NOTHING: Held = Held::Objects(0);

    /// Makes the allocations.
    pub(crate) fn allocate(self) -> Result<Live> {
        let (objects, pages, every) = match self {
            Held::Objects(count) => (count, 0, 1),
            Held::Pages(count) => (0, count, 1),
            Held::EveryOther(count) => (0, 2 * count, 2),
        };
        let mut held = KVVec::with_capacity(objects, GFP_KERNEL)?;
        for _ in 0..objects {
            held.push(KBox::new([0; 64], GFP_KERNEL)?, GFP_KERNEL)?;
        }
        let mut mapped = KVVec::with_capacity(pages, GFP_KERNEL)?;
        for _ in 0..pages {
            mapped.push(Some(VBox::new([0; PAGE_SIZE], GFP_KERNEL)?), GFP_KERNEL)?;
        }
        for (nth, page) in mapped.iter_mut().enumerate() {
            if nth % every != 0 {
                *page = None;
            }
        }
        Ok(Live {
            _objects: held,
            _pages: mapped,
        })
    }
}
