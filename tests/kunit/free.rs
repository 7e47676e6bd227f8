// SPDX-License-Identifier: GPL-2.0-only

//! Dropped memory is free in the kernel's own records, not only in the counters.

use crate::observe::{
    address,
    is_free, //
};
use kalloc::slab::{
    Construct,
    Reset, //
};
use kernel::prelude::*;

/// An object with a constructor.
pub(crate) struct Mark(u64);

impl Construct for Mark {
    fn construct() -> impl PinInit<Self> {
        Mark(1)
    }
}

impl Reset for Mark {
    fn reset(mut self: Pin<&mut Self>) {
        self.0 = 1;
    }
}

kalloc::sites! {
    pub(crate) Contiguous: kmalloc([u8]), "kunit_freed_kmalloc";
    pub(crate) Either: kvmalloc([u8]), "kunit_freed_kvmalloc";
    pub(crate) Mapped: vmalloc([u8]), "kunit_freed_vmalloc";
    pub(crate) Objects: cache(u64), "kunit_freed_object";
    pub(crate) Marks: cache(Mark), "kunit_freed_mark";
    pub(crate) Blocks: pages, "kunit_freed_page";
}

/// Returns whether the kernel records the memory from `make` as free after its drop. Another thread
/// may allocate the same memory at once, so the check is repeated.
fn is_freed<T>(mut make: impl FnMut() -> Result<T>, at: impl Fn(&T) -> usize) -> Result<bool> {
    for _ in 0..8 {
        let owner = make()?;
        let place = at(&owner);
        if is_free(place) == Some(true) {
            return Ok(false);
        }
        drop(owner);
        if is_free(place) != Some(false) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[kunit_tests(kalloc_free)]
mod tests {
    use super::*;
    use kalloc::{
        alloc::kmalloc::MAX_SLAB_SIZE,
        slab::{
            ConstructedCache,
            Options, //
        },
        sys::percpu::PerCpu, //
        Array,
        CompoundPages,
        ExactPages,
        FreePages,
        KVmalloc,
        Kmalloc,
        KmemCache,
        Order,
        PageArray,
        PageCount,
        Pages,
        Vmalloc,
    };
    use kernel::{
        alloc::Allocator,
        page::PAGE_SIZE, //
    };

    /// Skips the case if the kernel has no record of free memory.
    macro_rules! memory_is_recorded {
        () => {
            if !crate::observe::RECORDED {
                crate::case::skip!(c"the kernel has no record of free memory");
            }
        };
    }

    fn arrays_are_freed<A: Allocator>() -> Result<bool> {
        let sizes = [
            1,
            8,
            9,
            64,
            100,
            1000,
            PAGE_SIZE,
            MAX_SLAB_SIZE + 1,
            100_000,
        ];
        for size in sizes {
            let make = || Ok(Array::<u8, A>::zeroed(size, GFP_KERNEL)?);
            if !is_freed(make, |array| array.as_ptr().addr())? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns whether the old block is free after an array has moved to a larger or smaller block,
    /// or to none.
    fn left_blocks_are_free<A: Allocator>(from: usize, to: usize) -> Result<bool> {
        for _ in 0..8 {
            let mut array = Array::<u8, A>::zeroed(from, GFP_KERNEL)?;
            let before = array.as_ptr().addr();
            array.resize(to, GFP_KERNEL)?;
            if array.as_ptr().addr() != before && is_free(before) != Some(false) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[test]
    fn kmalloc_free() -> Result {
        memory_is_recorded!();
        assert!(arrays_are_freed::<Kmalloc<Contiguous>>()?);
        Ok(())
    }

    #[test]
    fn kvmalloc_free() -> Result {
        memory_is_recorded!();
        assert!(arrays_are_freed::<KVmalloc<Either>>()?);
        Ok(())
    }

    #[test]
    fn vmalloc_free() -> Result {
        assert!(arrays_are_freed::<Vmalloc<Mapped>>()?);
        Ok(())
    }

    #[test]
    fn kmalloc_realloc() -> Result {
        memory_is_recorded!();
        for (from, to) in [(8, 100), (100, 8), (8, 0), (100_000, 8)] {
            assert!(left_blocks_are_free::<Kmalloc<Contiguous>>(from, to)?);
        }
        Ok(())
    }

    #[test]
    fn kvmalloc_realloc() -> Result {
        memory_is_recorded!();
        for (from, to) in [
            (100, 8),
            (8, 0),
            (100, kalloc::alloc::kmalloc::MAX_SIZE + 1),
        ] {
            assert!(left_blocks_are_free::<KVmalloc<Either>>(from, to)?);
        }
        Ok(())
    }

    #[test]
    fn kmem_cache_free() -> Result {
        memory_is_recorded!();
        let cache = KmemCache::<Objects>::new(Options::new())?;
        assert!(is_freed(
            || Ok(cache.alloc(1, GFP_KERNEL)?),
            |object| address(&**object)
        )?);
        assert!(is_freed(
            || Ok(cache.reserve(GFP_KERNEL)?.write(2)),
            |object| address(&**object)
        )?);
        Ok(())
    }

    #[test]
    fn kmem_cache_free_bulk() -> Result {
        memory_is_recorded!();
        let cache = KmemCache::<Objects>::new(Options::new())?;
        for nth in 0..3 {
            let make = || {
                let mut batch = cache.batch::<3>();
                batch.fill(GFP_KERNEL)?;
                let place = batch.slots_mut().nth(nth).map(|slot| address(slot));
                Ok((batch, place.ok_or(ENOENT)?))
            };
            assert!(is_freed(make, |(_, place)| *place)?);
        }
        Ok(())
    }

    #[test]
    fn ctor_object_drop() -> Result {
        memory_is_recorded!();
        let cache = ConstructedCache::<Marks>::new(Options::new())?;
        assert!(is_freed(
            || Ok(cache.alloc(GFP_KERNEL)?),
            |mark| address(&**mark)
        )?);
        Ok(())
    }

    #[test]
    fn free_pages() -> Result {
        memory_is_recorded!();
        for order in [Order::ZERO, Order::of::<2>()] {
            let last = order.bytes() - 1;
            let at = |bytes: &[u8]| bytes.get(last).map_or(0, address);
            assert!(is_freed(
                || Ok(Pages::<Blocks>::zeroed(order, GFP_KERNEL)?),
                |block| at(block)
            )?);
            assert!(is_freed(
                || Ok(FreePages::<Blocks>::zeroed(order, GFP_KERNEL)?),
                |block| at(block)
            )?);
            assert!(is_freed(
                || Ok(CompoundPages::<Blocks>::zeroed(order, GFP_KERNEL)?),
                |block| at(block)
            )?);
            assert!(is_freed(
                || Ok(CompoundPages::<Blocks>::zeroed(order, GFP_KERNEL)?.share()),
                |block| at(block)
            )?);
        }
        Ok(())
    }

    #[test]
    fn free_pages_exact() -> Result {
        memory_is_recorded!();
        for nth in 0..3 {
            assert!(is_freed(
                || Ok(ExactPages::<Blocks>::zeroed(
                    PageCount::of::<3>(),
                    GFP_KERNEL
                )?),
                |block| block.get(nth * PAGE_SIZE).map_or(0, address)
            )?);
        }
        Ok(())
    }

    #[test]
    fn split_pages_drop() -> Result {
        memory_is_recorded!();
        for nth in 0..4 {
            let make = || {
                let block = Pages::<Blocks>::zeroed(Order::of::<2>(), GFP_KERNEL)?;
                let place = block.get(nth * PAGE_SIZE).map_or(0, address);
                Ok((block.split_pages(), place))
            };
            assert!(is_freed(make, |(_, place)| *place)?);
        }
        Ok(())
    }

    /// Allocates and drops much more memory than the check tolerates as lost. The tolerance covers
    /// allocations of other threads.
    fn nothing_is_lost(bytes: usize, mut once: impl FnMut() -> Result) -> Result<bool> {
        let before = kalloc::mm::page_info::free();
        for _ in 0..(32 << 20) / bytes {
            once()?;
        }
        Ok(kalloc::mm::page_info::free() + (16 << 20) > before)
    }

    #[test]
    fn page_array_drop() -> Result {
        let array = || PageArray::<Blocks>::zeroed(100, GFP_KERNEL).map(drop);
        assert!(nothing_is_lost(100 * PAGE_SIZE, || Ok(array()?))?);
        Ok(())
    }

    #[test]
    fn free_percpu() -> Result {
        /// A value that takes some pages on each CPU.
        type Large = [u64; 4000];

        let value = || PerCpu::<Large>::zeroed(GFP_KERNEL).map(drop);
        assert!(nothing_is_lost(size_of::<Large>(), || Ok(value()?))?);
        Ok(())
    }
}
