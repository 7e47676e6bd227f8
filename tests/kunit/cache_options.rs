// SPDX-License-Identifier: GPL-2.0

use kalloc::cache::Field;
use kernel::prelude::*;

/// An object with something that is not for user space.
pub(crate) struct Record {
    secret: u64,
    inner: Inner,
}

struct Inner {
    name: [u8; 16],
    length: u32,
}

const SECRET: Field<Record, u64> = kalloc::field!(Record, secret);
const NAME: Field<Record, [u8; 16]> = kalloc::field!(Record, inner.name);
const LENGTH: Field<Record, u32> = kalloc::field!(Record, inner.length);

kalloc::sites! {
    pub(crate) Words: cache(u64), "kunit_options_word";
    pub(crate) Records: cache(Record), "kunit_options_record";
}

#[kunit_tests(kalloc_cache_options)]
mod tests {
    use super::*;
    use crate::Change;
    use kalloc::{
        cache::Options,
        KmemCache, //
    };
    use kernel::{
        page::PAGE_SIZE,
        uaccess::{
            UserPtr,
            UserSlice, //
        }, //
    };

    fn record() -> Record {
        Record {
            secret: 1,
            inner: Inner {
                name: [2; 16],
                length: 3,
            },
        }
    }

    /// User memory that has no room: a copy that is made fails with `EFAULT`.
    fn nowhere() -> UserSlice {
        UserSlice::new(UserPtr::from_addr(0), 0)
    }

    #[test]
    fn options_out_of_range_are_refused() -> Result {
        let options = Options::new();
        for wrong in [
            options.align(0),
            options.align(24),
            options.align(2 * PAGE_SIZE),
            options.sheaf_capacity(0),
            options.sheaf_capacity(Options::MAX_SHEAF_CAPACITY + 1),
            options.sheaf_capacity(usize::MAX).align(8),
        ] {
            assert!(KmemCache::<Words>::new(wrong).err() == Some(EINVAL));
        }
        for right in [
            options.align(1),
            options.align(PAGE_SIZE),
            options.sheaf_capacity(1),
            options.sheaf_capacity(Options::MAX_SHEAF_CAPACITY),
        ] {
            drop(KmemCache::<Words>::new(right)?.alloc(1, GFP_KERNEL)?);
        }
        Ok(())
    }

    #[test]
    fn objects_are_aligned_as_asked() -> Result {
        for (asked, align) in [(1, 8), (64, 64), (512, 512), (PAGE_SIZE, PAGE_SIZE)] {
            let cache = KmemCache::<Words>::new(Options::new().align(asked))?;
            let mut objects = KVec::new();
            for number in 0..20 {
                objects.push(cache.alloc(number, GFP_KERNEL)?, GFP_KERNEL)?;
            }
            assert!(objects
                .iter()
                .all(|object| core::ptr::from_ref(&**object).addr() & (align - 1) == 0));
        }
        Ok(())
    }

    #[test]
    fn sheaves_are_counted_exactly() -> Result {
        let change = Change::of::<Words>();
        let cache = KmemCache::<Words>::new(Options::new().sheaf_capacity(200))?;
        for _ in 0..3 {
            let mut objects = KVec::new();
            for number in 0..500 {
                objects.push(cache.alloc(number, GFP_KERNEL)?, GFP_KERNEL)?;
            }
            assert!(change.live().0 == 500);
            assert!(objects.iter().map(|object| **object).eq(0..500));
        }
        assert!(change.events() == (1500, 1500, 0));
        Ok(())
    }

    #[test]
    fn only_the_region_is_copied() -> Result {
        let cache = KmemCache::<Records>::with_usercopy(Options::new(), NAME)?;
        let mut object = cache.alloc(record(), GFP_KERNEL)?;
        let (mut reader, mut writer) = nowhere().reader_writer();
        assert!(object.copy_to(NAME, &mut writer) == Err(EFAULT));
        assert!(object.copy_from(NAME, &mut reader) == Err(EFAULT));
        assert!(object.copy_to(SECRET, &mut writer) == Err(EINVAL));
        assert!(object.copy_to(LENGTH, &mut writer) == Err(EINVAL));
        assert!(object.copy_from(SECRET, &mut reader) == Err(EINVAL));
        assert!(object.secret == 1 && object.inner.name == [2; 16] && object.inner.length == 3);
        Ok(())
    }

    #[test]
    fn the_region_is_all_or_nothing_by_options() -> Result {
        let (mut reader, mut writer) = nowhere().reader_writer();
        let cache = KmemCache::<Records>::new(Options::new())?;
        let mut object = cache.alloc(record(), GFP_KERNEL)?;
        assert!(object.copy_to(SECRET, &mut writer) == Err(EFAULT));
        assert!(object.copy_from(LENGTH, &mut reader) == Err(EFAULT));
        drop(object);
        drop(cache);

        let cache = KmemCache::<Records>::new(Options::new().no_usercopy())?;
        let mut object = cache.alloc(record(), GFP_KERNEL)?;
        assert!(object.copy_to(SECRET, &mut writer) == Err(EINVAL));
        assert!(object.copy_from(LENGTH, &mut reader) == Err(EINVAL));
        Ok(())
    }
}
