// SPDX-License-Identifier: GPL-2.0-only

use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// A type above the slab caches' size limit; kmalloc takes it from the page allocator.
pub(crate) type Large = [u8; kalloc::alloc::kmalloc::MAX_SLAB_SIZE + 1];

kalloc::sites! {
    pub(crate) Words: kmalloc([u64]), "kunit_fault_kmalloc";
    pub(crate) Either: kvmalloc([u8]), "kunit_fault_kvmalloc";
}

#[kunit_tests(kalloc_fault_kmalloc)]
mod tests {
    use super::*;
    use crate::{
        fault::{
            self,
            refuse_each,
            refuse_first,
            Counts,
            Faults, //
        },
        Dropped, //
    };
    use core::cell::Cell;
    use kalloc::{
        alloc::kmalloc::{
            block_size, //
            MAX_SIZE,
        },
        mm::page_info, //
        Array,
        KBox,
        KVBox,
        KVVec,
        KVec,
        KVmalloc,
        Kmalloc,
    };
    use kernel::alloc::{
        AllocError,
        Flags,
        NumaNode, //
    };

    type Buffer = Array<u64, Kmalloc<Words>>;
    type Either_ = Array<u8, KVmalloc<Either>>;

    /// Flags that may sleep, without a warning in the log.
    fn flags() -> Flags {
        GFP_KERNEL | __GFP_NOWARN
    }

    /// Returns whether the sampled bytes equal `byte`: both ends, and some of each page between.
    fn all(bytes: &[u8], byte: u8) -> bool {
        let mut some = bytes.iter().step_by(257);
        some.all(|&each| each == byte) && bytes.last().is_none_or(|&last| last == byte)
    }

    /// Runs a call that needs no preparation, at the site of kmalloc.
    fn fresh(call: impl Fn() -> Result<bool, AllocError>) -> Result<Faults> {
        refuse_each::<Words, _, _>(Counts::NoMemory, || Ok(()), |()| call(), |()| true)
    }

    #[test]
    fn kbox_new() -> Result {
        fault::needed();
        // The block is the first allocation and the only one that must succeed.
        let made = fresh(|| Ok(*KBox::<u64, Words>::new(7, flags())? == 7))?;
        let zeroed = fresh(|| Ok(*KBox::<u64, Words>::zeroed(flags())? == 0))?;
        let left = fresh(|| Ok(*KBox::<u64, Words>::new_uninit(flags())?.write(5) == 5))?;
        let large = fresh(|| {
            let large = KBox::<Large, Words>::zeroed(flags())?;
            Ok(large.iter().all(|&byte| byte == 0))
        })?;
        for faults in [made, zeroed, left, large] {
            assert!(faults.failed == 1 && faults.needs_memory);
        }
        Ok(())
    }

    #[test]
    fn kbox_new_nowait() -> Result {
        fault::needed();
        for flags in [GFP_ATOMIC, GFP_NOWAIT] {
            let faults = refuse_each::<Words, _, _>(
                Counts::NoWait,
                || Ok(()),
                |()| Ok::<_, AllocError>(*KBox::<u64, Words>::new(7, flags | __GFP_NOWARN)? == 7),
                |()| true,
            )?;
            assert!(faults.failed == 1 && faults.needs_memory);
        }
        Ok(())
    }

    #[test]
    fn kbox_new_drops_value() -> Result {
        fault::needed();
        let dropped = Cell::new(0);
        let made = Cell::new(0);
        let faults = fresh(|| {
            made.set(made.get() + 1);
            drop(KBox::<_, Words>::new(Dropped(&dropped), flags())?);
            Ok(true)
        })?;
        assert!(faults.failed == 1 && made.get() > 1 && dropped.get() == made.get());
        Ok(())
    }

    #[test]
    fn kbox_init_not_run() -> Result {
        fault::needed();
        let ran = Cell::new(0);
        let called = Cell::new(0);
        let faults = refuse_each::<Words, _, _>(
            Counts::NoMemory,
            || Ok(()),
            |()| {
                called.set(called.get() + 1);
                let init = pin_init::init_zeroed::<u64>().chain(|_| {
                    ran.set(ran.get() + 1);
                    Ok(())
                });
                KBox::<u64, Words>::init(init, flags()).map(|value| *value == 0)
            },
            |()| true,
        )?;
        // The call fails in two runs: the one with a single failure, and the one where all
        // allocations fail.
        assert!(faults.failed == 1 && ran.get() == called.get() - 2);
        Ok(())
    }

    #[test]
    fn kvec_reserve_keeps_contents() -> Result {
        fault::needed();
        let full = || {
            let mut vec = KVec::<u64, Words>::with_capacity(4, GFP_KERNEL)?;
            for word in 0..4 {
                vec.push(word, GFP_KERNEL)?;
            }
            Ok(vec)
        };
        let whole = |vec: &KVec<u64, Words>| vec.capacity() == 4 && vec.iter().copied().eq(0..4);
        let made = fresh(|| Ok(KVec::<u64, Words>::with_capacity(9, flags())?.capacity() == 9))?;
        let pushed = refuse_each::<Words, _, _>(
            Counts::NoMemory,
            full,
            |vec| {
                vec.push(4, flags())?;
                Ok::<_, Error>(vec.iter().copied().eq(0..5))
            },
            whole,
        )?;
        let reserved = refuse_each::<Words, _, _>(
            Counts::NoMemory,
            full,
            |vec| {
                vec.reserve(3000, flags())?;
                Ok::<_, AllocError>(vec.capacity() >= 3004 && vec.iter().copied().eq(0..4))
            },
            whole,
        )?;
        let extended = refuse_each::<Words, _, _>(
            Counts::NoMemory,
            full,
            |vec| {
                vec.extend_from_slice(&[4, 5, 6], flags())?;
                Ok::<_, AllocError>(vec.iter().copied().eq(0..7))
            },
            whole,
        )?;
        for faults in [made, pushed, reserved, extended] {
            assert!(faults.failed == 1 && faults.needs_memory);
        }
        Ok(())
    }

    #[test]
    fn array_resize_keeps_contents() -> Result {
        fault::needed();
        let made = fresh(|| Ok(Buffer::zeroed(100, flags())?.iter().all(|&word| word == 0)))?;
        let on_node = fresh(|| {
            let node = NumaNode::new(0).map_err(|_| AllocError)?;
            Ok(Buffer::zeroed_on(100, flags(), node)?.len() == 100)
        })?;
        assert!(made.failed == 1 && made.needs_memory && on_node.failed == 1);

        let marked = || {
            let mut array = Buffer::zeroed(100, GFP_KERNEL)?;
            array.fill(3);
            Ok(array)
        };
        // To a larger class, to pages, to a smaller class; each resize moves the array.
        for len in [1000, 5000, MAX_SIZE / 8, 1] {
            let faults = refuse_each::<Words, _, _>(
                Counts::NoMemory,
                marked,
                |array| {
                    array.resize(len, flags())?;
                    let (old, new) = array.split_at(len.min(100));
                    Ok::<_, AllocError>(
                        array.len() == len
                            && old.iter().all(|&word| word == 3)
                            && new.iter().all(|&word| word == 0),
                    )
                },
                |array| array.len() == 100 && array.iter().all(|&word| word == 3),
            )?;
            assert!(faults.failed == 1 && faults.needs_memory);
        }
        // A resize within the class or to zero needs no memory.
        let roomy = || loop {
            let array = marked()?;
            // KFENCE blocks have no slack, so they are skipped.
            if block_size(&array) == 1024 {
                return Ok(array);
            }
        };
        for len in [101, 128, 99, 0] {
            let faults = refuse_each::<Words, _, _>(
                Counts::NoMemory,
                roomy,
                |array| array.resize(len, flags()).map(|()| array.len() == len),
                |_| false,
            )?;
            // KASAN may allocate for its own records of a block.
            assert!(faults.failed == 0 && !faults.needs_memory);
        }
        Ok(())
    }

    #[test]
    fn kvmalloc_falls_back_to_vmalloc() -> Result {
        fault::needed();
        let one = |size| {
            refuse_each::<Either, _, _>(
                Counts::NoMemory,
                || Ok(()),
                |()| {
                    let array = Either_::zeroed(size, flags())?;
                    Ok::<_, AllocError>(array.len() == size && all(&array, 0))
                },
                |()| true,
            )
        };
        // C tries kmalloc twice, then maps large pages, then small pages. One failure is never
        // enough to make the call fail.
        for size in [100, PAGE_SIZE, 8 * PAGE_SIZE] {
            let faults = one(size)?;
            assert!(faults.failed == 0 && faults.survived > 0 && faults.needs_memory);
        }
        let boxed = refuse_each::<Either, _, _>(
            Counts::NoMemory,
            || Ok(()),
            |()| {
                let large = KVBox::<Large, Either>::zeroed(flags())?;
                Ok::<_, AllocError>(all(&*large, 0))
            },
            |()| true,
        )?;
        assert!(boxed.failed == 0 && boxed.needs_memory);
        Ok(())
    }

    #[test]
    fn kvmalloc_resize_keeps_contents() -> Result {
        fault::needed();
        let huge = cfg!(CONFIG_HAVE_ARCH_HUGE_VMALLOC);
        // kmalloc to a larger class, to vmalloc, to a smaller class. Then within vmalloc: in place,
        // smaller, less than a page. Then from huge pages to kmalloc and to single pages.
        for (from, to, fails, needs_memory) in [
            (100, 1000, false, true),
            (100, MAX_SIZE + 1, true, true),
            (3 * PAGE_SIZE, 100, true, true),
            (MAX_SIZE + 1, MAX_SIZE + PAGE_SIZE, false, false),
            (MAX_SIZE + 1, PAGE_SIZE, false, false),
            (MAX_SIZE + 1, 100, false, false),
            (6 << 20, 100, false, huge),
            (6 << 20, MAX_SIZE + 1, huge, huge),
        ] {
            let kept = from.min(to);
            // The limit leaves out the page tables: one allocation for each of their pages.
            let faults = refuse_first::<Either, _, _>(
                10,
                Counts::NoMemory,
                || {
                    let mut array = Either_::zeroed(from, GFP_KERNEL)?;
                    array.fill(9);
                    Ok(array)
                },
                |array| {
                    array.resize(to, flags())?;
                    Ok::<_, AllocError>(
                        array.len() == to && all(&array[..kept], 9) && all(&array[kept..], 0),
                    )
                },
                |array| {
                    array.len() == from
                        && all(array, 9)
                        && page_info::is_vmalloc(array) == (from > MAX_SIZE)
                },
            )?;
            assert!((faults.failed > 0) == fails && faults.needs_memory == needs_memory);
        }
        Ok(())
    }

    #[test]
    fn kvvec_reserve_keeps_contents() -> Result {
        fault::needed();
        let faults = refuse_each::<Either, _, _>(
            Counts::NoMemory,
            || {
                let mut vec = KVVec::<u32, Either>::new();
                vec.extend_from_slice(&[1, 2, 3], GFP_KERNEL)?;
                Ok(vec)
            },
            |vec| {
                vec.reserve(10 * PAGE_SIZE, flags())?;
                Ok::<_, AllocError>(vec.iter().copied().eq(1..4))
            },
            |vec| vec.capacity() == 3 && vec.iter().copied().eq(1..4),
        )?;
        assert!(faults.survived > 0 && faults.needs_memory);
        Ok(())
    }
}
