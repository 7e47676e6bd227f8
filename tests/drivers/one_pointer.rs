// SPDX-License-Identifier: GPL-2.0-only

//! A driver that keeps each kind of counted owner as one pointer, and gets its pages one by one.

#![forbid(unsafe_code)]

use kalloc::{
    kasprintf,
    kvec,
    slab::{
        ArcObject,
        Construct,
        Constructed,
        ConstructedCache,
        Options,
        RcuCache,
        RcuRef,
        Reset,
        TypesafeByRcu, //
    },
    ArcInner,
    Array,
    CString,
    CompoundPages,
    KBox,
    KVec,
    KmemCache,
    Order,
    Pages,
    SharedPages,
    Vmalloc, //
};
use kernel::{
    alloc::allocator::VmallocPageIter,
    page::{
        AsPageIter,
        PAGE_SIZE, //
    },
    prelude::*,
    sync,
    types::ForeignOwnable,
    xarray::{
        AllocKind,
        XArray, //
    }, //
};

module! {
    type: Driver,
    name: "one_pointer",
    authors: ["The kalloc authors"],
    description: "Counted owners as one pointer, for the tests of kalloc",
    license: "GPL",
}

struct Inode(u64);

impl Construct for Inode {
    fn construct() -> impl PinInit<Self> {
        Inode(0)
    }
}

impl Reset for Inode {
    fn reset(mut self: Pin<&mut Self>) {
        self.0 = 0;
    }
}

kalloc::sites! {
    Boxes: kmalloc(u64), "one_box";
    Shared: kmalloc(ArcInner<u64>), "one_shared";
    Objects: cache(Inode), "one_object";
    Made: cache(Inode), "one_made";
    Conns: cache(TypesafeByRcu<(), u64>), "one_conn";
    Rings: pages, "one_ring";
    Firmware: vmalloc([u8]), "one_firmware";
    All: kmalloc([u8]), "one_all";
}

/// The only change of a driver that is moved by an alias.
type Bytes<T> = KVec<T, All>;

struct Driver {
    _list: Bytes<i32>,
    _name: CString<All>,
}

/// Keeps an owner in a table of C, and drops it there.
fn keep<T: ForeignOwnable>(owner: T) -> Result {
    let table = kernel::alloc::KBox::pin_init(XArray::new(AllocKind::Alloc), GFP_KERNEL)?;
    table.lock().store(1, owner, GFP_KERNEL)?;
    Ok(())
}

/// Counts the pages of an owner from which `SGTable::new` makes a table.
fn pages<P>(memory: &mut P) -> usize
where
    for<'a> P: AsPageIter<Iter<'a> = VmallocPageIter<'a>> + 'static,
{
    memory.page_iter().count()
}

impl kernel::Module for Driver {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        keep(KBox::<u64, Boxes>::new(1, GFP_KERNEL)?)?;
        keep(kalloc::Arc::<u64, Shared>::new(1, GFP_KERNEL)?)?;

        let cache = sync::Arc::new(KmemCache::<Objects>::new(Options::new())?, GFP_KERNEL)?;
        keep::<ArcObject<Objects>>(cache.reserve_arc(GFP_KERNEL)?.write(Inode(1)))?;

        let made = ConstructedCache::<Made>::new(Options::new())?;
        keep::<Constructed<Made>>(made.alloc(GFP_KERNEL)?)?;
        let conns = RcuCache::<Conns>::new(Options::new())?;
        keep::<RcuRef<Conns>>(conns.reserve(GFP_KERNEL)?.write(1))?;

        keep(Pages::<Rings>::zeroed(Order::of::<2>(), GFP_KERNEL)?)?;
        keep::<SharedPages<Rings>>(CompoundPages::zeroed(Order::of::<1>(), GFP_KERNEL)?.share())?;

        let mut firmware = Array::<u8, Vmalloc<Firmware>>::zeroed(4 * PAGE_SIZE, GFP_KERNEL)?
            .into_pages()
            .map_err(|_| EINVAL)?;
        pr_info!("{} pages\n", pages(&mut firmware));
        Ok(Driver {
            _list: kvec![1, 2, 3]?,
            _name: kasprintf!(GFP_KERNEL, "port-{}", 7)?,
        })
    }
}
