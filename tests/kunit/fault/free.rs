// SPDX-License-Identifier: GPL-2.0-only

//! Freeing and using memory needs no memory.

use kernel::prelude::*;

kalloc::sites! {
    pub(crate) Contiguous: kmalloc([u8]), "kunit_fault_free_kmalloc";
    pub(crate) Mapped: vmalloc([u8]), "kunit_fault_free_vmalloc";
    pub(crate) Objects: cache([u64; 6]), "kunit_fault_free_cache";
    pub(crate) Blocks: pages, "kunit_fault_free_pages";
}

#[kunit_tests(kalloc_fault_free)]
mod tests {
    use super::*;
    use crate::fault::{
        self,
        refuse_each,
        Counts, //
    };
    use kalloc::{
        slab::Options, //
        Array,
        CompoundPages,
        ExactPages,
        FreePages,
        KBox,
        KVec,
        KmemCache,
        Mapping,
        Order,
        PageArray,
        PageCount,
        Pages,
        Tag,
        VBox,
        Vmalloc,
    };
    use kernel::{
        page::PAGE_SIZE,
        sync::{
            rcu,
            Arc, //
        }, //
    };

    /// Returns whether `release` needs no memory to use and free the result of `make`, and leaves
    /// as many live blocks as before.
    fn needs_none<S: Tag, T>(
        make: impl Fn() -> Result<T>,
        release: impl Fn(T) -> bool,
    ) -> Result<bool> {
        let site = S::site();
        let before = site.totals().live();
        let faults = refuse_each::<S, _, _>(
            Counts::Not,
            || make().map(Some),
            |made| {
                let right = release(made.take().ok_or(EINVAL)?);
                Ok::<_, Error>(right && site.totals().live() == before)
            },
            |_| false,
        )?;
        Ok(faults.failed == 0 && !faults.needs_memory)
    }

    #[test]
    fn kmalloc_free() -> Result {
        fault::needed();
        let make = || {
            let mut vec = KVec::<u64, Contiguous>::with_capacity(100, GFP_KERNEL)?;
            vec.push(1, GFP_KERNEL)?;
            Ok((KBox::<_, Contiguous>::new([5u64; 200], GFP_KERNEL)?, vec))
        };
        assert!(needs_none::<Contiguous, _>(make, |(boxed, mut vec)| {
            let pushed = vec.push_within_capacity(2).is_ok();
            boxed[199] == 5 && pushed && vec.pop() == Some(2)
        })?);
        Ok(())
    }

    #[test]
    fn vmalloc_free() -> Result {
        fault::needed();
        let make = || {
            let boxed = VBox::<u64, Mapped>::new(5, GFP_KERNEL)?;
            let array = Array::<u8, Vmalloc<Mapped>>::zeroed(9 * PAGE_SIZE, GFP_KERNEL)?;
            Ok((boxed, array))
        };
        assert!(needs_none::<Mapped, _>(make, |(boxed, array)| {
            *boxed == 5 && kalloc::mm::page_info::pfns(&array).is_ok_and(|pfns| pfns.count() == 9)
        })?);
        // In atomic context, the worker unmaps the area.
        assert!(needs_none::<Mapped, _>(make, |owners| {
            let _guard = rcu::read_lock();
            drop(owners);
            true
        })?);
        Ok(())
    }

    #[test]
    fn kmem_cache_free() -> Result {
        fault::needed();
        let cache = Arc::new(KmemCache::<Objects>::new(Options::new())?, GFP_KERNEL)?;
        let make = || {
            let mut batch = cache.batch::<8>();
            batch.fill(GFP_KERNEL)?;
            Ok((
                batch,
                cache.reserve_arc(GFP_KERNEL)?,
                cache.alloc([3; 6], GFP_KERNEL)?,
            ))
        };
        assert!(needs_none::<Objects, _>(
            make,
            |(mut batch, slot, object)| {
                let right = slot.write([4; 6])[5] == 4 && object[0] == 3;
                batch.put(object);
                drop(batch);
                right && cache.shrink().is_ok()
            }
        )?);
        Ok(())
    }

    #[test]
    fn pages_free() -> Result {
        fault::needed();
        let order = Order::of::<2>();
        let blocks = || {
            Ok((
                Pages::<Blocks>::zeroed(order, GFP_KERNEL)?,
                FreePages::<Blocks>::zeroed(order, GFP_KERNEL)?,
                ExactPages::<Blocks>::zeroed(PageCount::of::<3>(), GFP_KERNEL)?,
                CompoundPages::<Blocks>::zeroed(order, GFP_KERNEL)?,
            ))
        };
        assert!(needs_none::<Blocks, _>(
            blocks,
            |(pages, free, exact, compound)| {
                let split = pages.split_pages().count() == 4
                    && free.split_pages().count() == 4
                    && exact.split_pages().count() == 3;
                let owner = compound.share();
                let shared = owner.reference().is_ok_and(|reference| reference[0] == 0);
                drop(owner.clone());
                split
                    && shared
                    && owner
                        .try_into_unique()
                        .is_ok_and(|block| block[PAGE_SIZE] == 0)
            }
        )?);
        Ok(())
    }

    #[test]
    fn page_array_free() -> Result {
        fault::needed();
        let make = || {
            let mut pages = PageArray::<Blocks>::zeroed(600, GFP_KERNEL)?;
            core::mem::forget(Mapping::new(&mut pages)?);
            Ok(pages)
        };
        assert!(needs_none::<Blocks, _>(make, |mut pages| {
            let mut bytes = [0; 2];
            let place = 5 * PAGE_SIZE - 1;
            let copied = pages.write(place, &[1, 2]).is_ok()
                && pages.copy_page(4, 9).is_ok()
                && pages.read(place, &mut bytes).is_ok();
            // The pages are mapped already.
            let mapped =
                Mapping::new(&mut pages).is_ok_and(|mapping| mapping[10 * PAGE_SIZE - 1] == 1);
            copied && bytes == [1, 2] && mapped
        })?);
        assert!(needs_none::<Blocks, _>(make, |pages| {
            let _guard = rcu::read_lock();
            drop(pages);
            true
        })?);
        Ok(())
    }
}
