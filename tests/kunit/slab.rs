// SPDX-License-Identifier: GPL-2.0-only

use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// An object whose size is no power of two and whose alignment is that of a word.
#[derive(Zeroable)]
pub(crate) struct Node {
    key: u64,
    value: [u32; 5],
}

/// An object whose drops are counted. It owns nothing, but has a size.
pub(crate) struct Guard(#[expect(dead_code)] u8);

static DROPS: Atomic<i32> = Atomic::new(0);

/// Nonzero if a case has forgotten a cache.
static FORGOTTEN: Atomic<i32> = Atomic::new(0);

impl Drop for Guard {
    fn drop(&mut self) {
        DROPS.fetch_add(1, Relaxed);
    }
}

kalloc::sites! {
    pub(crate) Nodes: cache(Node), "kunit_cache_node";
    pub(crate) Guards: cache(Guard), "kunit_cache_drop";
    pub(crate) Others: cache(u64), "kunit_cache_other";
    /// The kernel has a cache of this name.
    pub(crate) Clash: cache(u64), "vm_area_struct";
    /// A case forgets the cache of this site.
    pub(crate) Forgotten: cache(u64), "kunit_cache_forgotten";
}

/// A site that is never registered.
mod stranger {
    kalloc::sites! {
        #![manual]
        pub(crate) Strangers: cache(u64), "kunit_cache_stranger";
    }
}

#[kunit_tests(kalloc_slab)]
mod tests {
    use super::*;
    use crate::Change;
    use kalloc::{
        slab::Options, //
        KmemCache,
    };
    use kernel::{
        new_spinlock,
        sync::Arc, //
    };

    fn fails() -> Result<[u32; 5]> {
        Err(EPERM)
    }

    fn node(key: u64) -> Node {
        Node { key, value: [7; 5] }
    }

    #[test]
    fn kmem_cache_alloc_counts() -> Result {
        let change = Change::of::<Nodes>();
        let cache = KmemCache::<Nodes>::new(Options::new())?;
        assert!(change.events() == (0, 0, 0));
        let mut object = cache.alloc(node(1), GFP_KERNEL)?;
        object.key += 1;
        assert!(object.key == 2 && object.value == [7; 5]);
        let (live, bytes, _) = change.live();
        assert!((live, bytes) == (1, size_of::<Node>() as u64));
        drop(object);
        assert!(change.events() == (1, 1, 0));
        Ok(())
    }

    #[test]
    fn kmem_cache_alloc_distinct_objects() -> Result {
        let change = Change::of::<Nodes>();
        let cache = KmemCache::<Nodes>::new(Options::new().hwcache_align())?;
        let mut objects = KVec::new();
        for key in 0..1000 {
            objects.push(cache.alloc(node(key), GFP_KERNEL)?, GFP_KERNEL)?;
        }
        assert!(objects.iter().map(|object| object.key).eq(0..1000));
        assert!(objects
            .iter()
            .all(|object| core::ptr::from_ref(&**object).addr() % align_of::<Node>() == 0));
        assert!(change.live().0 == 1000);
        drop(objects);
        cache.shrink()?;
        assert!(change.events() == (1000, 1000, 0));
        Ok(())
    }

    #[test]
    fn kmem_cache_new_site_in_use() -> Result {
        let first = KmemCache::<Nodes>::new(Options::new())?;
        assert!(KmemCache::<Nodes>::new(Options::new()).err() == Some(EEXIST));
        drop(first);
        KmemCache::<Nodes>::new(Options::new().account().reclaimable())?;
        Ok(())
    }

    #[test]
    fn kmem_cache_new_name_in_use() {
        if cfg!(CONFIG_SLUB_TINY) {
            crate::case::skip!(c"the kernel has no files for caches, so names cannot clash");
        }
        assert!(KmemCache::<Clash>::new(Options::new()).err() == Some(EEXIST));
    }

    #[test]
    fn kmem_cache_forget_keeps_site() -> Result {
        // The cache is destroyed when the module is unloaded, which a section of guest.sh checks.
        // So there is one per load of the module.
        if FORGOTTEN.load(Relaxed) == 0 {
            core::mem::forget(KmemCache::<Forgotten>::new(Options::new())?);
            FORGOTTEN.store(1, Relaxed);
        }
        assert!(KmemCache::<Forgotten>::new(Options::new()).err() == Some(EEXIST));
        Ok(())
    }

    #[test]
    fn arc_object_drop_last_under_spinlock() -> Result {
        let cache = Arc::new(KmemCache::<Others>::new(Options::new())?, GFP_KERNEL)?;
        let object = cache.reserve_arc(GFP_KERNEL)?.write(1);
        drop(cache);
        let held = KBox::pin_init(new_spinlock!(Some(object)), GFP_KERNEL)?;
        *held.lock() = None;
        // The site is free again, whether or not the worker has run.
        KmemCache::<Others>::new(Options::new())?;
        Ok(())
    }

    #[test]
    fn kmem_cache_new_unregistered_site() {
        let cache = KmemCache::<stranger::Strangers>::new(Options::new());
        assert!(cache.err() == Some(EINVAL));
    }

    #[test]
    fn object_drop_once() -> Result {
        let drops = DROPS.load(Relaxed);
        let cache = KmemCache::<Guards>::new(Options::new())?;
        drop(cache.alloc(Guard(0), GFP_KERNEL)?);
        assert!(DROPS.load(Relaxed) == drops + 1);
        let value = cache.alloc(Guard(0), GFP_KERNEL)?.into_inner();
        assert!(DROPS.load(Relaxed) == drops + 1);
        drop(value);
        assert!(DROPS.load(Relaxed) == drops + 2);
        let mut batch = cache.batch::<2>();
        batch.put(cache.alloc(Guard(0), GFP_KERNEL)?);
        assert!(DROPS.load(Relaxed) == drops + 3);
        drop(batch);
        assert!(DROPS.load(Relaxed) == drops + 3);
        Ok(())
    }

    #[test]
    fn kmem_cache_zeroed() -> Result {
        let cache = KmemCache::<Nodes>::new(Options::new())?;
        for _ in 0..100 {
            let mut object = cache.zeroed(GFP_KERNEL)?;
            assert!(object.key == 0 && object.value == [0; 5]);
            *object = node(u64::MAX);
        }
        Ok(())
    }

    #[test]
    fn slot_drop_without_value() -> Result {
        let change = Change::of::<Nodes>();
        let cache = KmemCache::<Nodes>::new(Options::new())?;
        drop(cache.reserve(GFP_ATOMIC)?);
        assert!(change.events() == (1, 1, 0));
        Ok(())
    }

    #[test]
    fn slot_init_fails() -> Result {
        let change = Change::of::<Nodes>();
        let cache = KmemCache::<Nodes>::new(Options::new())?;
        let failed = cache.reserve(GFP_KERNEL)?.init(init!(Node {
            key: 1,
            value: fails()?,
        }? Error));
        assert!(failed.err() == Some(EPERM));
        assert!(change.events() == (1, 1, 0));

        let object = cache.reserve(GFP_KERNEL)?.pin_init(init!(Node {
            key: 3,
            value: [4; 5],
        }))?;
        assert!(object.key == 3);
        Ok(())
    }

    #[test]
    fn object_into_inner() -> Result {
        let change = Change::of::<Nodes>();
        let cache = KmemCache::<Nodes>::new(Options::new())?;
        let value = cache.alloc(node(5), GFP_KERNEL)?.into_inner();
        assert!(value.key == 5);
        assert!(change.live().0 == 0);

        let (slot, value) = cache.alloc(value, GFP_KERNEL)?.take();
        assert!(change.live().0 == 1);
        assert!(slot.write(value).key == 5);
        Ok(())
    }

    #[test]
    fn arc_object_keeps_cache() -> Result {
        let cache = Arc::new(KmemCache::<Others>::new(Options::new())?, GFP_KERNEL)?;
        let object = cache.reserve_arc(GFP_KERNEL)?.write(6);
        drop(cache);
        // The site is still in use: the object keeps its cache alive.
        assert!(KmemCache::<Others>::new(Options::new()).err() == Some(EEXIST));
        assert!(*object == 6);
        drop(object);
        KmemCache::<Others>::new(Options::new())?;
        Ok(())
    }

    #[test]
    fn batch_fill_and_drain() -> Result {
        let change = Change::of::<Nodes>();
        let cache = KmemCache::<Nodes>::new(Options::new())?;
        let mut batch = cache.batch::<8>();
        assert!(batch.is_empty() && batch.pop().is_none());
        batch.fill(GFP_KERNEL)?;
        assert!(batch.len() == 8);
        assert!(change.events() == (8, 0, 0));

        let mut objects = KVec::new();
        while let Some(slot) = batch.pop() {
            let key = objects.len() as u64;
            objects.push(slot.write(node(key)), GFP_KERNEL)?;
        }
        assert!(objects.iter().map(|object| object.key).eq(0..8));
        assert!(change.events() == (8, 0, 0));

        // The full batch has no room for the objects: each is freed by itself.
        batch.fill(GFP_KERNEL)?;
        while let Some(object) = objects.pop() {
            batch.put(object);
        }
        assert!(change.events() == (16, 8, 0));
        drop(batch);
        assert!(change.events() == (16, 16, 0));
        Ok(())
    }

    #[test]
    fn batch_arc_keeps_cache() -> Result {
        let change = Change::of::<Nodes>();
        let cache = Arc::new(KmemCache::<Nodes>::new(Options::new())?, GFP_KERNEL)?;
        let mut batch = cache.batch_arc::<4>();
        batch.fill(GFP_KERNEL)?;
        let kept = kernel::alloc::KBox::pin_init(new_spinlock!(batch), GFP_KERNEL)?;
        drop(cache);
        let slot = kept.lock().pop().ok_or(ENOENT)?;
        let object = slot.write(node(7));
        let other = kept.lock().pop().ok_or(ENOENT)?.write(node(8));
        // An object of the cache is put back, whatever holds the cache.
        kept.lock().put(other);
        assert!(kept.lock().len() == 3);
        assert!(change.events() == (4, 0, 0));
        drop(kept);
        assert!(object.key == 7 && change.live().0 == 1);
        assert!(KmemCache::<Nodes>::new(Options::new()).err() == Some(EEXIST));
        drop(object);
        assert!(change.live() == (0, 0, 0));
        drop(KmemCache::<Nodes>::new(Options::new())?);
        Ok(())
    }

    #[test]
    fn batch_put_reuses_slot() -> Result {
        let change = Change::of::<Nodes>();
        let cache = KmemCache::<Nodes>::new(Options::new())?;
        let mut batch = cache.batch::<4>();
        batch.fill(GFP_KERNEL)?;
        for key in 0..100 {
            let Some(slot) = batch.pop() else {
                return Err(ENOENT);
            };
            batch.put(slot.write(node(key)));
        }
        assert!(batch.len() == 4);
        assert!(change.events() == (4, 0, 0));
        Ok(())
    }
}
