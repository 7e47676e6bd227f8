// SPDX-License-Identifier: GPL-2.0-only

use kernel::prelude::*;

kalloc::sites! {
    pub(crate) Blocks: pages, "kunit_fault_pages";
}

#[kunit_tests(kalloc_fault_page)]
mod tests {
    use super::*;
    use crate::fail_nth::Refusal;
    use crate::fault::{
        self,
        refuse_each,
        Counts,
        Faults, //
    };
    use kalloc::{
        CompoundPages,
        ExactPages,
        FreePages,
        Order,
        PageArray,
        PageCount,
        Pages, //
    };
    use kernel::{
        alloc::{
            AllocError,
            Flags, //
        },
        page::PAGE_SIZE, //
    };

    /// Flags that may sleep, without a warning in the log.
    fn flags() -> Flags {
        GFP_KERNEL | __GFP_NOWARN
    }

    /// Runs a call that needs no preparation.
    fn fresh(counts: Counts, call: impl Fn() -> Result<bool, AllocError>) -> Result<Faults> {
        refuse_each::<Blocks, _, _>(counts, || Ok(()), |()| call(), |()| true)
    }

    fn all(bytes: &[u8], byte: u8) -> bool {
        bytes.iter().all(|&each| each == byte)
    }

    #[test]
    fn pages_zeroed_every_kind() -> Result {
        fault::needed();
        const NO: Counts = Counts::NoMemory;
        // Each block takes one allocation. Failures of the sanitizers' own allocations do not
        // count.
        for order in [Order::ZERO, Order::of::<3>(), Order::MAX] {
            let by_page = fresh(NO, || Ok(all(&Pages::<Blocks>::zeroed(order, flags())?, 0)))?;
            let by_address = fresh(NO, || {
                Ok(all(&FreePages::<Blocks>::zeroed(order, flags())?, 0))
            })?;
            let compound = fresh(NO, || {
                let shared = CompoundPages::<Blocks>::zeroed(order, flags())?.share();
                Ok(all(&shared.clone(), 0))
            })?;
            for faults in [by_page, by_address, compound] {
                assert!(faults.failed == 1 && faults.needs_memory);
            }
        }
        for count in [1, 3, 1024] {
            let count = PageCount::new(count)?;
            let exact = fresh(NO, || {
                Ok(all(&ExactPages::<Blocks>::zeroed(count, flags())?, 0))
            })?;
            assert!(exact.failed == 1 && exact.needs_memory);
        }
        Ok(())
    }

    #[test]
    fn pages_uninit_every_kind() -> Result {
        fault::needed();
        let order = Order::of::<1>();
        let faults = [
            fresh(Counts::NoWait, || {
                Ok(all(
                    &Pages::<Blocks, _>::uninit(order, GFP_ATOMIC)?.fill(7),
                    7,
                ))
            })?,
            fresh(Counts::NoWait, || {
                Ok(all(
                    &FreePages::<Blocks, _>::uninit(order, GFP_NOWAIT)?.fill(7),
                    7,
                ))
            })?,
            fresh(Counts::NoMemory, || {
                Ok(all(
                    &CompoundPages::<Blocks, _>::uninit(order, flags())?.fill(7),
                    7,
                ))
            })?,
            fresh(Counts::NoMemory, || {
                let count = PageCount::of::<3>();
                Ok(all(
                    &ExactPages::<Blocks, _>::uninit(count, flags())?.fill(7),
                    7,
                ))
            })?,
        ];
        assert!(faults
            .iter()
            .all(|faults| faults.failed == 1 && faults.needs_memory));
        Ok(())
    }

    #[test]
    fn page_array_zeroed_all_or_nothing() -> Result {
        fault::needed();
        for pages in [1, 3, 600] {
            let faults = fresh(Counts::NoMemory, || {
                let mut array = PageArray::<Blocks>::zeroed(pages, flags())?;
                let last = (pages - 1) * PAGE_SIZE;
                let mut byte = [1];
                array.read(last, &mut byte).map_err(|_| AllocError)?;
                let zeroed = byte == [0];
                array.write(last, &[5]).map_err(|_| AllocError)?;
                array.read(last, &mut byte).map_err(|_| AllocError)?;
                Ok(zeroed && byte == [5] && array.len() == pages)
            })?;
            // If the bulk allocation stops early, single pages are allocated.
            assert!(faults.survived > 0 && faults.needs_memory);
        }
        Ok(())
    }

    #[test]
    fn page_array_list_gfp_flags() -> Result {
        fault::needed();
        // The list is allocated by kmalloc if it is short, otherwise by vmalloc, which needs a slab
        // object.
        for pages in [1, 600] {
            let allocates = |flags: Flags| PageArray::<Blocks>::zeroed(pages, flags).is_ok();
            assert!(allocates(GFP_NOWAIT));
            let (atomic, _) = Refusal::OfAtomic.during(|| allocates(GFP_NOWAIT));
            let (waiting, _) = Refusal::OfAtomic.during(|| allocates(flags()));
            assert!(!atomic && waiting);
        }
        Ok(())
    }
}
