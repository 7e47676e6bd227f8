// SPDX-License-Identifier: GPL-2.0-only

//! Runs work in another thread. The cases drop owners there.

use kernel::{
    prelude::*,
    sync::{
        Arc,
        Completion, //
    },
    workqueue, //
};

kalloc::sites! {
    pub(crate) Contiguous: kmalloc([u8]), "kunit_thread_kmalloc";
    pub(crate) Either: kvmalloc([u8]), "kunit_thread_kvmalloc";
    pub(crate) Mapped: vmalloc([u8]), "kunit_thread_vmalloc";
    pub(crate) Objects: cache([u64; 6]), "kunit_thread_cache";
    pub(crate) Blocks: pages, "kunit_thread_pages";
}

/// Runs `work` in a kernel worker and waits until it is done.
///
/// The worker is bound to the current CPU. It first runs all work that is queued there, as long as
/// that work does not sleep.
pub(crate) fn elsewhere(work: impl FnOnce() + Send + 'static) -> Result {
    let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
    let theirs = done.clone();
    let task = move || {
        work();
        theirs.complete_all();
    };
    workqueue::system_long().try_spawn(GFP_KERNEL, task)?;
    done.wait_for_completion();
    Ok(())
}

#[kunit_tests(kalloc_thread)]
mod tests {
    use super::*;
    use crate::Change;
    use kalloc::{
        slab::Options, //
        Array,
        CompoundPages,
        ExactPages,
        FreePages,
        KBox,
        KVBox,
        KVVec,
        KVec,
        KVmalloc,
        Kmalloc,
        KmemCache,
        Mapping,
        Order,
        PageArray,
        PageCount,
        Pages,
        Tag,
        VBox,
        VVec,
        Vmalloc,
    };
    use kernel::{
        new_mutex,
        page::PAGE_SIZE,
        sync::{
            atomic::{
                Atomic,
                Relaxed, //
            },
            Mutex, //
        }, //
    };

    /// Passes the result of `make` to another thread, which checks and drops it. Returns whether
    /// the check succeeded and the site has as many live blocks as before.
    fn dropped_elsewhere<S: Tag, T: Send + 'static>(
        make: impl FnOnce() -> Result<T>,
        is_right: impl FnOnce(&T) -> bool + Send + 'static,
    ) -> Result<bool> {
        let change = Change::of::<S>();
        let before = change.live();
        let owner = make()?;
        let right = Arc::new(Atomic::<i32>::new(0), GFP_KERNEL)?;
        let theirs = right.clone();
        let here = kernel::current!().pid();
        elsewhere(move || {
            let right = is_right(&owner) && kernel::current!().pid() != here;
            drop(owner);
            theirs.store(i32::from(right), Relaxed);
        })?;
        let (allocs, frees, failures) = change.events();
        let even = allocs == frees && allocs > 0 && failures == 0;
        Ok(right.load(Relaxed) == 1 && even && change.live() == before)
    }

    #[test]
    fn kmalloc_drop_in_other_thread() -> Result {
        let boxed = || Ok(KBox::<[u64; 9], Contiguous>::new([5; 9], GFP_KERNEL)?);
        assert!(dropped_elsewhere::<Contiguous, _>(boxed, |value| **value == [5; 9])?);
        let vec = || {
            let mut vec = KVec::<u64, Contiguous>::new();
            vec.extend_from_slice(&[1, 2, 3], GFP_KERNEL)?;
            Ok(vec)
        };
        assert!(dropped_elsewhere::<Contiguous, _>(vec, |vec| vec[..] == [1, 2, 3])?);
        let array = || Ok(Array::<u64, Kmalloc<Contiguous>>::zeroed(2000, GFP_KERNEL)?);
        assert!(dropped_elsewhere::<Contiguous, _>(array, |array| array
            [1999]
            == 0)?);
        Ok(())
    }

    #[test]
    fn kvmalloc_drop_in_other_thread() -> Result {
        let boxed = || Ok(KVBox::<u64, Either>::new(5, GFP_KERNEL)?);
        assert!(dropped_elsewhere::<Either, _>(boxed, |value| **value == 5)?);
        let vec = || Ok(KVVec::<u64, Either>::with_capacity(3, GFP_KERNEL)?);
        assert!(dropped_elsewhere::<Either, _>(vec, |vec| vec.capacity() == 3)?);
        let size = kalloc::alloc::kmalloc::MAX_SIZE + 1;
        let array = move || Ok(Array::<u8, KVmalloc<Either>>::zeroed(size, GFP_KERNEL)?);
        assert!(dropped_elsewhere::<Either, _>(array, move |array| array
            [size - 1]
            == 0)?);
        Ok(())
    }

    #[test]
    fn vmalloc_drop_in_other_thread() -> Result {
        let boxed = || Ok(VBox::<u64, Mapped>::new(5, GFP_KERNEL)?);
        assert!(dropped_elsewhere::<Mapped, _>(boxed, |value| **value == 5)?);
        let vec = || Ok(VVec::<u64, Mapped>::with_capacity(3, GFP_KERNEL)?);
        assert!(dropped_elsewhere::<Mapped, _>(vec, |vec| vec.capacity() == 3)?);
        let array = || {
            Ok(Array::<u8, Vmalloc<Mapped>>::zeroed(
                9 * PAGE_SIZE,
                GFP_KERNEL,
            )?)
        };
        assert!(dropped_elsewhere::<Mapped, _>(array, |array| array
            [9 * PAGE_SIZE - 1]
            == 0)?);
        Ok(())
    }

    #[test]
    fn object_drop_in_other_thread() -> Result {
        let one = || {
            let cache = Arc::new(KmemCache::<Objects>::new(Options::new())?, GFP_KERNEL)?;
            Ok(cache.reserve_arc(GFP_KERNEL)?.write([8; 6]))
        };
        assert!(dropped_elsewhere::<Objects, _>(one, |object| **object == [8; 6])?);
        // The other thread also drops its cache.
        let slot = || {
            let cache = Arc::new(KmemCache::<Objects>::new(Options::new())?, GFP_KERNEL)?;
            Ok(cache.reserve_arc(GFP_KERNEL)?)
        };
        assert!(dropped_elsewhere::<Objects, _>(slot, |_| true)?);
        let both = || {
            let cache = Arc::new(KmemCache::<Objects>::new(Options::new())?, GFP_KERNEL)?;
            Ok((cache.clone(), cache.reserve_arc(GFP_KERNEL)?.write([9; 6])))
        };
        assert!(dropped_elsewhere::<Objects, _>(both, |(cache, object)| {
            let mut batch = cache.batch::<8>();
            batch.fill(GFP_KERNEL).is_ok() && batch.len() == 8 && object[5] == 9
        })?);
        KmemCache::<Objects>::new(Options::new())?;
        Ok(())
    }

    #[test]
    fn pages_drop_in_other_thread() -> Result {
        let order = Order::of::<1>();
        let pages = move || Ok(Pages::<Blocks>::zeroed(order, GFP_KERNEL)?);
        assert!(dropped_elsewhere::<Blocks, _>(pages, |block| block
            [PAGE_SIZE]
            == 0)?);
        assert!(dropped_elsewhere::<Blocks, _>(
            move || Ok(pages()?.split_pages()),
            |split| { split.len() == 2 }
        )?);
        let pages = move || Ok(FreePages::<Blocks>::zeroed(order, GFP_KERNEL)?);
        assert!(dropped_elsewhere::<Blocks, _>(pages, |block| block
            [PAGE_SIZE]
            == 0)?);
        let pages = || {
            Ok(ExactPages::<Blocks>::zeroed(
                PageCount::of::<3>(),
                GFP_KERNEL,
            )?)
        };
        assert!(dropped_elsewhere::<Blocks, _>(pages, |block| block
            [2 * PAGE_SIZE]
            == 0)?);
        let pages = move || Ok(CompoundPages::<Blocks>::zeroed(order, GFP_KERNEL)?.share());
        assert!(dropped_elsewhere::<Blocks, _>(pages, |shared| shared
            .clone()[PAGE_SIZE]
            == 0)?);
        let pages = || {
            let mut pages = PageArray::<Blocks>::zeroed(3, GFP_KERNEL)?;
            let mut mapping = Mapping::new(&mut pages)?;
            mapping.fill(7);
            // The mapping is removed together with the pages.
            core::mem::forget(mapping);
            Ok(pages)
        };
        assert!(dropped_elsewhere::<Blocks, _>(pages, |pages| {
            let mut byte = [0];
            pages.read(2 * PAGE_SIZE, &mut byte).is_ok() && byte == [7]
        })?);
        Ok(())
    }

    #[test]
    fn kbox_new_in_other_thread() -> Result {
        let change = Change::of::<Contiguous>();
        let slot = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;
        let theirs: Arc<Mutex<Option<KBox<u64, Contiguous>>>> = slot.clone();
        elsewhere(move || *theirs.lock() = KBox::new(11, GFP_KERNEL).ok())?;
        let value = slot.lock().take().ok_or(ENOMEM)?;
        assert!(*value == 11 && change.events() == (1, 0, 0));
        drop(value);
        assert!(change.events() == (1, 1, 0) && change.live() == (0, 0, 0));
        Ok(())
    }
}
