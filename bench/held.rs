// SPDX-License-Identifier: GPL-2.0

//! What is there while a case is measured.

use kalloc::{
    KBox,
    VBox, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// A small object, as it is held and as it is allocated meanwhile.
pub(crate) type Object = [u8; 64];

kalloc::sites! {
    /// Objects.
    pub(crate) Objects: kmalloc(Object), "bench_held", percpu;
    /// Pages in vmalloc memory.
    Pages: vmalloc([u8; PAGE_SIZE]), "bench_held_pages";
}

/// What is to be there.
#[derive(Clone, Copy)]
pub(crate) enum Held {
    /// So many small objects.
    Objects(usize),
    /// So many pages in vmalloc memory.
    Pages(usize),
    /// So many pages in vmalloc memory, with a gap of one page before each.
    EveryOther(usize),
}

/// What is there.
pub(crate) struct Live {
    _objects: KVVec<KBox<Object, Objects>>,
    _pages: KVVec<Option<VBox<[u8; PAGE_SIZE], Pages>>>,
}

impl Held {
    /// Nothing.
    pub(crate) const NOTHING: Held = Held::Objects(0);

    /// Allocates it.
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
