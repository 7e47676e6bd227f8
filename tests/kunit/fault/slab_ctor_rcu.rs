// SPDX-License-Identifier: GPL-2.0-only

//! Caches with a constructor, and caches that are type-safe by RCU.

use kalloc::slab::{
    Construct,
    Reset,
    TypesafeByRcu, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// An object that counts its resets.
pub(crate) struct Mark(Atomic<u64>);

impl Construct for Mark {
    fn construct() -> impl PinInit<Self> {
        Mark(Atomic::new(0))
    }
}

impl Reset for Mark {
    fn reset(self: Pin<&mut Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

kalloc::sites! {
    pub(crate) Marks: cache(Mark), "kunit_fault_mark";
    pub(crate) Numbers: cache(TypesafeByRcu<Atomic<u64>, KBox<u64>>), "kunit_fault_number";
}

#[kunit_tests(kalloc_fault_slab_ctor_rcu)]
mod tests {
    use super::*;
    use crate::fault::{
        self,
        refuse_each,
        Counts, //
    };
    use kalloc::slab::{
        ConstructedCache,
        Options,
        RcuCache,
        RcuLink, //
    };
    use kernel::{
        alloc::{
            AllocError,
            Flags, //
        },
        sync::rcu, //
    };

    /// Flags that may sleep, without a warning in the log.
    fn flags() -> Flags {
        GFP_KERNEL | __GFP_NOWARN
    }

    #[test]
    fn ctor_alloc() -> Result {
        fault::needed();
        let cache = ConstructedCache::<Marks>::new(Options::new())?;
        let held = cache.alloc(GFP_KERNEL)?;
        held.0.store(100, Relaxed);
        for (counts, flags) in [
            (Counts::NoMemory, flags()),
            (Counts::NoWait, GFP_NOWAIT | __GFP_NOWARN),
        ] {
            let faults = refuse_each::<Marks, _, _>(
                counts,
                || Ok(()),
                |()| {
                    let object = cache.alloc(flags)?;
                    Ok::<_, AllocError>(object.0.load(Relaxed) < 100)
                },
                |()| held.0.load(Relaxed) == 100,
            )?;
            assert!(faults.failed == 1 && faults.needs_memory);
        }
        Ok(())
    }

    #[test]
    fn rcu_reserve() -> Result {
        fault::needed();
        let cache = RcuCache::<Numbers>::new(Options::new())?;
        let link = RcuLink::<Numbers>::new();
        let slot = cache.reserve(GFP_KERNEL)?;
        slot.key().store(7, Relaxed);
        link.replace(Some(slot.write(KBox::new(7, GFP_KERNEL)?)));
        let seen = || {
            let guard = rcu::read_lock();
            let found = link.load(&guard)?;
            found.get(|_| found.key().load(Relaxed) == 7)
        };
        let faults = refuse_each::<Numbers, _, _>(
            Counts::NoMemory,
            || KBox::new(8, GFP_KERNEL).map(Some).map_err(Error::from),
            |value| {
                let slot = cache.reserve(flags())?;
                let written = slot.write(value.take().ok_or(AllocError)?);
                Ok::<_, AllocError>(**written == 8)
            },
            // The caller still owns the value, and readers find the old object.
            |value| value.as_deref() == Some(&8) && seen().is_some_and(|number| **number == 7),
        )?;
        assert!(faults.failed == 1 && faults.needs_memory);
        link.replace(None);
        assert!(seen().is_none());
        Ok(())
    }
}
