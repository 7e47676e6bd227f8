// SPDX-License-Identifier: GPL-2.0-only

use kernel::prelude::*;

/// An object with a key and an array.
#[derive(Zeroable)]
pub(crate) struct Node {
    key: u64,
    value: [u32; 40],
}

kalloc::sites! {
    pub(crate) Nodes: cache(Node), "kunit_fault_cache";
    pub(crate) Created: cache(u64), "kunit_fault_created";
}

/// A site that is never registered.
mod stranger {
    kalloc::sites! {
        #![manual]
        pub(crate) Strangers: cache(u64), "kunit_fault_stranger";
    }
}

#[kunit_tests(kalloc_fault_slab)]
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
        thread::elsewhere, //
    };
    use core::cell::Cell;
    use kalloc::{
        slab::{
            Options,
            Rejected, //
        }, //
        KmemCache,
    };
    use kernel::{
        alloc::{
            AllocError,
            Flags, //
        },
        sync::Arc, //
    };

    /// Flags that may sleep, without a warning in the log.
    fn flags() -> Flags {
        GFP_KERNEL | __GFP_NOWARN
    }

    fn node(key: u64) -> Node {
        Node {
            key,
            value: [7; 40],
        }
    }

    /// Runs a call that needs only a cache.
    fn fresh<E: Into<Error>>(
        counts: Counts,
        cache: &KmemCache<Nodes>,
        call: impl Fn(&KmemCache<Nodes>) -> Result<bool, E>,
    ) -> Result<Faults> {
        refuse_each::<Nodes, _, _>(counts, || Ok(()), |()| call(cache), |()| true)
    }

    #[test]
    fn kmem_cache_new() -> Result {
        fault::needed();
        // The worker holds the lock of the list of sites while it destroys the previous cache. Once
        // the worker has begun, looking up an unregistered site waits for that lock, and so for the
        // end of the destruction.
        let alone = || {
            elsewhere(|| ())?;
            let missing = KmemCache::<stranger::Strangers>::new(Options::new()).err();
            (missing == Some(EINVAL)).then_some(()).ok_or(EBUSY)
        };
        let faults = refuse_first::<Created, _, _>(
            16,
            Counts::Not,
            alone,
            |()| KmemCache::<Created>::new(Options::new()).map(|_cache| true),
            |()| true,
        )?;
        // The failures are the name, the kernel's copy of it, and the memory of each node. If the
        // worker is late, the previous cache is destroyed first, and its allocation fails in their
        // place. The cache does not need the remaining allocations, which make it visible in /sys.
        assert!(faults.failed > 0 && faults.survived > 0 && faults.needs_memory);
        // The failed calls left nothing behind: the site is free.
        let cache = KmemCache::<Created>::new(Options::new())?;
        assert!(*cache.alloc(3, flags())? == 3);
        Ok(())
    }

    #[test]
    fn kmem_cache_alloc() -> Result {
        fault::needed();
        let cache = KmemCache::<Nodes>::new(Options::new())?;
        let wait = Counts::NoMemory;
        let zeroed = fresh(wait, &cache, |cache| {
            let object = cache.zeroed(flags())?;
            Ok::<_, AllocError>(object.key == 0 && object.value == [0; 40])
        })?;
        let reserved = fresh(wait, &cache, |cache| {
            let object = cache.reserve(flags())?.write(node(1));
            Ok::<_, AllocError>(object.key == 1 && object.value == [7; 40])
        })?;
        let slot = fresh(Counts::NoWait, &cache, |cache| {
            cache.reserve(GFP_NOWAIT | __GFP_NOWARN).map(|_slot| true)
        })?;
        for faults in [zeroed, reserved, slot] {
            assert!(faults.failed == 1 && faults.needs_memory);
        }
        Ok(())
    }

    #[test]
    fn kmem_cache_alloc_returns_value() -> Result {
        fault::needed();
        let cache = KmemCache::<Nodes>::new(Options::new())?;
        let back = Cell::new(0);
        let faults = fresh(Counts::NoMemory, &cache, |cache| {
            match cache.alloc(node(5), flags()) {
                Ok(object) => Ok(object.key == 5 && object.value == [7; 40]),
                Err(Rejected(value)) => {
                    back.set(back.get() + value.key + u64::from(value.value[39]));
                    Err(ENOMEM)
                }
            }
        })?;
        // The call fails in two runs: the one with a single failure, and the one where all
        // allocations fail.
        assert!(faults.failed == 1 && back.get() == 2 * (5 + 7));
        Ok(())
    }

    #[test]
    fn slot_init() -> Result {
        fault::needed();
        let cache = KmemCache::<Nodes>::new(Options::new())?;
        let ran = Cell::new(0);
        let called = Cell::new(0);
        let init = || {
            pin_init::init_zeroed::<Node>().chain(|node| {
                ran.set(ran.get() + 1);
                node.key = 2;
                Ok::<_, core::convert::Infallible>(())
            })
        };
        for pinned in [false, true] {
            let faults = fresh(Counts::NoMemory, &cache, |cache| {
                called.set(called.get() + 1);
                let slot = cache.reserve(flags())?;
                let key = if pinned {
                    slot.pin_init(init()).map(|object| object.key)
                } else {
                    slot.init(init()).map(|object| object.key)
                };
                Ok::<_, AllocError>(key == Ok(2))
            })?;
            assert!(faults.failed == 1 && faults.needs_memory);
        }
        assert!(ran.get() + 4 == called.get());
        Ok(())
    }

    #[test]
    fn kmem_cache_reserve_arc() -> Result {
        fault::needed();
        let cache = Arc::new(KmemCache::<Nodes>::new(Options::new())?, GFP_KERNEL)?;
        let faults = refuse_each::<Nodes, _, _>(
            Counts::NoMemory,
            || Ok(cache.clone()),
            |cache| {
                let object = cache.reserve_arc(flags())?.write(node(8));
                Ok::<_, AllocError>(object.key == 8)
            },
            |_| true,
        )?;
        assert!(faults.failed == 1 && faults.needs_memory);
        // The failed calls released their reference, so this drop is the last one.
        drop(cache);
        KmemCache::<Nodes>::new(Options::new())?;
        Ok(())
    }

    #[test]
    fn batch_fill() -> Result {
        fault::needed();
        let cache = KmemCache::<Nodes>::new(Options::new())?;
        for had in [0, 1, 15] {
            let faults = refuse_each::<Nodes, _, _>(
                Counts::NoMemory,
                || {
                    let mut batch = cache.batch::<16>();
                    for _ in 0..had {
                        batch.put(cache.alloc(node(1), GFP_KERNEL)?);
                    }
                    Ok(batch)
                },
                |batch| {
                    batch.fill(flags())?;
                    let full = batch.len() == 16;
                    while let Some(slot) = batch.pop() {
                        drop(slot.write(node(2)));
                    }
                    Ok::<_, AllocError>(full)
                },
                |batch| batch.len() == had,
            )?;
            assert!(faults.are_at_least(1));
        }
        // Filling a full batch, returning objects to it and freeing it need no memory.
        let none = refuse_each::<Nodes, _, _>(
            Counts::NoMemory,
            || {
                let mut batch = cache.batch::<4>();
                batch.fill(GFP_KERNEL)?;
                Ok(Some((batch, cache.alloc(node(3), GFP_KERNEL)?)))
            },
            |taken| {
                let (mut batch, object) = taken.take().ok_or(EINVAL)?;
                batch.fill(flags())?;
                drop(batch.pop());
                batch.put(object);
                Ok::<_, Error>(batch.len() == 4)
            },
            |_| false,
        )?;
        assert!(none.failed == 0 && !none.needs_memory);
        Ok(())
    }
}
