// SPDX-License-Identifier: GPL-2.0-only

//! Owners that C code holds as one pointer: in an XArray, and as raw pointers.

use crate::{
    raw,
    Change, //
};
use kalloc::{
    page::PageSite,
    slab::{
        Construct,
        ConstructedCache,
        Options,
        RcuCache,
        RcuRef,
        Reset,
        TypesafeByRcu, //
    },
    CompoundPages,
    ExactPages,
    FreePages,
    KmemCache,
    Order,
    PageCount,
    Pages,
    SharedPages, //
};
use kernel::{
    alloc::KBox,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    types::ForeignOwnable,
    xarray::{
        AllocKind,
        XArray, //
    }, //
};

/// An object that is not as large as a pointer, nor aligned like one.
pub(crate) struct Session(u8);

/// An object with a constructor.
pub(crate) struct Inode(u64);

impl Construct for Inode {
    fn construct() -> impl PinInit<Self> {
        Inode(1)
    }
}

impl Reset for Inode {
    fn reset(mut self: Pin<&mut Self>) {
        self.0 = 1;
    }
}

kalloc::sites! {
    pub(crate) Sessions: cache(Session), "kunit_foreign_session";
    pub(crate) Inodes: cache(Inode), "kunit_foreign_inode";
    pub(crate) Conns: cache(TypesafeByRcu<Atomic<u64>, u32>), "kunit_foreign_conn";
    pub(crate) Blocks: pages, "kunit_foreign_page";
}

type Table<T> = Pin<KBox<XArray<T>>>;

/// Returns an XArray with `owners`.
fn table<T: ForeignOwnable, const N: usize>(owners: [T; N]) -> Result<Table<T>> {
    let table = KBox::pin_init(XArray::<T>::new(AllocKind::Alloc), GFP_KERNEL)?;
    for (index, owner) in owners.into_iter().enumerate() {
        table.lock().store(index, owner, GFP_KERNEL)?;
    }
    Ok(table)
}

/// Returns whether a pointer from `into_foreign` is aligned as stated, and the owner comes back.
fn round_trip<T: ForeignOwnable + 'static>(owner: T, is_same: impl FnOnce(&T) -> bool) -> bool {
    let (is_aligned, owner) = raw::foreign(owner, |_| ());
    is_aligned && is_same(&owner)
}

/// Returns whether blocks of all sizes come back with their size and their bytes.
fn blocks_come_back<K, S>(sizes: &[K::Size], pages: impl Fn(K::Size) -> usize) -> Result<bool>
where
    K: kalloc::page::BlockKind + 'static,
    S: PageSite,
{
    let change = Change::of::<S>();
    for &size in sizes {
        let mut block = kalloc::page::Block::<K, S>::zeroed(size, GFP_KERNEL)?;
        block.fill(7);
        let (bytes, address) = (block.len(), block.as_ptr());
        if bytes != PageCount::new(pages(size))?.bytes() {
            return Ok(false);
        }
        let right = round_trip(raw::block(block), |block| {
            (block.len(), block.as_ptr()) == (bytes, address) && block.iter().all(|&byte| byte == 7)
        });
        if !right || change.live().0 != 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

#[kunit_tests(kalloc_foreign)]
mod tests {
    use super::*;

    #[test]
    fn arc_object_in_xarray_keeps_cache() -> Result {
        let change = Change::of::<Sessions>();
        let cache = Arc::new(KmemCache::<Sessions>::new(Options::new())?, GFP_KERNEL)?;
        let made = |id| Ok::<_, Error>(cache.reserve_arc(GFP_KERNEL)?.write(Session(id)));
        let sessions = table([made(1)?, made(2)?, made(3)?])?;
        drop(cache);
        assert_eq!(change.live().0, 3);
        assert_eq!(sessions.lock().get(1).map(|session| session.0), Some(2));
        if let Some(session) = sessions.lock().get_mut(1) {
            session.0 = 9;
        }
        // The object that is taken out shares the cache again.
        let taken = sessions.lock().remove(1).ok_or(ENOENT)?;
        drop(sessions);
        assert_eq!((taken.0, change.live().0), (9, 1));
        assert_eq!(
            KmemCache::<Sessions>::new(Options::new()).err(),
            Some(EEXIST)
        );
        drop(taken);
        assert_eq!(change.live(), (0, 0, 0));
        drop(KmemCache::<Sessions>::new(Options::new())?);
        Ok(())
    }

    #[test]
    fn arc_object_into_raw_round_trip() -> Result {
        let change = Change::of::<Sessions>();
        // Each round has another cache, whose owner may be at another address.
        for round in 0..4 {
            let cache = Arc::new(KmemCache::<Sessions>::new(Options::new())?, GFP_KERNEL)?;
            let object = cache.reserve_arc(GFP_KERNEL)?.write(Session(round));
            let other = cache.reserve_arc(GFP_KERNEL)?.write(Session(round + 1));
            let object = raw::arc_object(object, || drop(cache));
            assert_eq!(change.live().0, 2);
            assert_eq!((object.0, other.0), (round, round + 1));
            assert!(round_trip(other, |other| other.0 == round + 1));
            assert!(round_trip(Pin::new(object), |object| object.0 == round));
        }
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn object_into_raw_round_trip() -> Result {
        let change = Change::of::<Sessions>();
        let cache = KmemCache::<Sessions>::new(Options::new())?;
        let object = raw::object(&cache, cache.alloc(Session(7), GFP_KERNEL)?);
        assert_eq!((object.0, change.live().0), (7, 1));
        drop(object);
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn constructed_in_xarray_is_reset_on_drop() -> Result {
        let change = Change::of::<Inodes>();
        let cache = ConstructedCache::<Inodes>::new(Options::new())?;
        let inodes = table([cache.alloc(GFP_KERNEL)?, cache.alloc(GFP_KERNEL)?])?;
        if let Some(mut inode) = inodes.lock().get_mut(0) {
            inode.0 = 7;
        }
        assert_eq!(inodes.lock().get(0).map(|inode| inode.0), Some(7));
        drop(inodes);
        assert_eq!(change.live(), (0, 0, 0));
        let inode = raw::constructed(cache.alloc(GFP_KERNEL)?);
        assert_eq!((inode.0, change.live().0), (1, 1));
        assert!(round_trip(inode, |inode| inode.0 == 1));
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn rcu_ref_in_xarray_keeps_value() -> Result {
        let change = Change::of::<Conns>();
        let cache = RcuCache::<Conns>::new(Options::new())?;
        let slot = cache.reserve(GFP_KERNEL)?;
        slot.key().store(7, Relaxed);
        let conn = slot.write(1);
        let conns = table([conn.clone()])?;
        drop(conn);
        let kept = conns.lock().get(0).map(|conn| RcuRef::clone(&conn));
        drop(conns);
        let kept = kept.ok_or(ENOENT)?;
        assert_eq!(
            (*kept, kept.key().load(Relaxed), change.live().0),
            (1, 7, 1)
        );
        assert!(round_trip(raw::rcu_ref(kept), |kept| **kept == 1));
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn pages_into_foreign_keeps_size() -> Result {
        use kalloc::page::{
            Exact,
            Folio,
            StructPage,
            Virt, //
        };
        let orders = [
            Order::ZERO,
            Order::of::<1>(),
            Order::of::<3>(),
            Order::of::<5>(),
        ];
        assert!(blocks_come_back::<StructPage, Blocks>(
            &orders,
            Order::pages
        )?);
        assert!(blocks_come_back::<Virt, Blocks>(&orders, Order::pages)?);
        assert!(blocks_come_back::<Folio, Blocks>(&orders, Order::pages)?);
        let counts = [
            PageCount::of::<1>(),
            PageCount::of::<2>(),
            PageCount::of::<7>(),
            PageCount::of::<33>(),
        ];
        assert!(blocks_come_back::<Exact, Blocks>(&counts, PageCount::get)?);
        Ok(())
    }

    #[test]
    fn pages_in_xarray_are_freed_with_it() -> Result {
        let change = Change::of::<Blocks>();
        let block = Pages::<Blocks>::zeroed(Order::of::<2>(), GFP_KERNEL)?;
        let (pfn, len) = (block.pfn(), block.len() as u64);
        let blocks = table([block])?;
        assert_eq!(blocks.lock().get(0).map(|block| block.pfn()), Some(pfn));
        if let Some(bytes) = blocks.lock().get_mut(0) {
            bytes.fill(7);
        }
        assert_eq!(change.live(), (1, len, 0));
        drop(blocks);
        assert_eq!(change.live(), (0, 0, 0));

        let shared: SharedPages<Blocks> =
            CompoundPages::zeroed(Order::of::<1>(), GFP_KERNEL)?.share();
        let all = table([shared.clone(), shared.clone()])?;
        drop(shared);
        let kept = all.lock().get(0).map(|shared| SharedPages::clone(&shared));
        drop(all);
        assert_eq!(change.live().0, 1);
        assert_eq!(kept.map(|kept| kept.order()), Some(Order::of::<1>()));
        assert_eq!(change.live(), (0, 0, 0));
        drop(table([FreePages::<Blocks>::zeroed(
            Order::ZERO,
            GFP_KERNEL,
        )?])?);
        drop(table([ExactPages::<Blocks>::zeroed(
            PageCount::of::<3>(),
            GFP_KERNEL,
        )?])?);
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn pages_into_page_several_pages_returns_block() -> Result {
        let change = Change::of::<Blocks>();
        let Err(block) = Pages::<Blocks>::zeroed(Order::of::<1>(), GFP_KERNEL)?.into_page() else {
            return Err(EINVAL);
        };
        assert_eq!((block.order(), change.live().0), (Order::of::<1>(), 1));
        drop(block);
        let mut block = Pages::<Blocks>::zeroed(Order::ZERO, GFP_KERNEL)?;
        block.fill(7);
        let page = block.into_page().map_err(|_| EINVAL)?;
        assert_eq!((raw::byte(&page, 100)?, change.live().0), (7, 1));
        drop(page);
        assert_eq!(change.events(), (2, 2, 0));
        Ok(())
    }
}
