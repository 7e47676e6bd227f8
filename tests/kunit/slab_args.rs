// SPDX-License-Identifier: GPL-2.0-only

use kalloc::{
    alloc::kmalloc::MAX_SIZE,
    slab::{
        Construct,
        Field,
        Reset, //
    }, //
};
use kernel::prelude::*;

/// An object with a field that must not be copied to user space.
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

/// Fields with forged accessors: one returns another field, one returns memory outside the object.
const FORGED: Field<Record, u64> = Field::new(
    core::mem::offset_of!(Record, inner.name),
    |record| &record.secret,
    |record| &mut record.secret,
);
const ELSEWHERE: Field<Record, [u8; 16]> = Field::new(
    core::mem::offset_of!(Record, inner.name),
    |_| &[0; 16],
    |record| &mut record.inner.name,
);
/// A field that begins in the last byte of the object.
const BEYOND: Field<Record, [u8; 16]> = Field::new(
    size_of::<Record>() - 1,
    |record| &record.inner.name,
    |record| &mut record.inner.name,
);
const NOWHERE: Field<Record, [u8; 16]> = Field::new(
    usize::MAX,
    |record| &record.inner.name,
    |record| &mut record.inner.name,
);

/// An object of some MiB.
pub(crate) struct Giant<const SIZE: usize> {
    bytes: [u8; SIZE],
}

impl<const SIZE: usize> Construct for Giant<SIZE> {
    fn construct() -> impl PinInit<Self> {
        init!(Giant {
            bytes <- pin_init::init_zeroed(),
        })
    }
}

impl<const SIZE: usize> Reset for Giant<SIZE> {
    fn reset(self: Pin<&mut Self>) {}
}

/// An object whose size equals its alignment.
#[repr(align(0x200000))]
pub(crate) struct Aligned {
    _byte: u8,
}
/// An object whose size does not imply its alignment if the allocator adds metadata.
#[repr(align(128))]
pub(crate) struct Line(u64);

kalloc::sites! {
    pub(crate) Lines: cache(Line), "kunit_options_line";
    pub(crate) Words: cache(u64), "kunit_options_word";
    pub(crate) Records: cache(Record), "kunit_options_record";
    pub(crate) Dot: cache(u64), ".";
    pub(crate) DotDot: cache(u64), "..";
    pub(crate) Dots: cache(u64), "...";
    pub(crate) Odd: cache(u64), "!%s%n";
    pub(crate) Largest: cache(Giant<MAX_SIZE>), "kunit_options_largest";
    pub(crate) Larger: cache(Giant<{ MAX_SIZE - 16384 }>), "kunit_options_larger";
    pub(crate) Aligneds: cache(Aligned), "kunit_options_aligned";
}

#[kunit_tests(kalloc_slab_args)]
mod tests {
    use super::*;
    use crate::Change;
    use kalloc::{
        slab::{
            ConstructedCache,
            Options, //
        }, //
        KmemCache,
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

    /// Returns an empty range of user memory: a copy fails with `EFAULT`.
    fn nowhere() -> UserSlice {
        UserSlice::new(UserPtr::from_addr(0), 0)
    }

    #[test]
    fn kmem_cache_new_args_out_of_range() -> Result {
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
    fn kmem_cache_alloc_align() -> Result {
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
    fn kmem_cache_alloc_type_align() -> Result {
        let cache = KmemCache::<Lines>::new(Options::new())?;
        let mut objects = KVec::new();
        for number in 0..20 {
            objects.push(cache.alloc(Line(number), GFP_KERNEL)?, GFP_KERNEL)?;
        }
        assert!(objects
            .iter()
            .all(|line| core::ptr::from_ref(&**line).addr() % align_of::<Line>() == 0));
        assert!(objects.iter().map(|line| line.0).eq(0..20));
        Ok(())
    }

    /// The kernel records the requested usercopy region.
    #[test]
    fn kmem_cache_create_usercopy() -> Result {
        if !cfg!(CONFIG_HARDENED_USERCOPY) {
            crate::case::skip!(c"copies to and from user space are not checked");
        }
        let name = core::mem::offset_of!(Record, inner.name) as u32;
        let all = size_of::<Record>() as u32;
        let region = |cache: Result<KmemCache<Records>>| {
            let cache = cache?;
            let object = cache.alloc(record(), GFP_KERNEL)?;
            crate::observe::cache(&*object)
                .map(|cache| cache.usercopy)
                .ok_or(ENODEV)
        };
        assert!(region(KmemCache::with_usercopy(Options::new(), NAME))? == (name, 16));
        assert!(region(KmemCache::new(Options::new()))? == (0, all));
        let (_, none) = region(KmemCache::new(Options::new().no_usercopy()))?;
        assert!(none == 0);
        Ok(())
    }

    #[test]
    fn sheaf_capacity_counts() -> Result {
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
    fn usercopy_outside_region() -> Result {
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
    fn usercopy_forged_field() -> Result {
        let cache = KmemCache::<Records>::with_usercopy(Options::new(), FORGED)?;
        let mut object = cache.alloc(record(), GFP_KERNEL)?;
        let (mut reader, mut writer) = nowhere().reader_writer();
        assert!(object.copy_to(FORGED, &mut writer) == Err(EINVAL));
        assert!(object.copy_from(FORGED, &mut reader) == Err(EINVAL));
        assert!(object.copy_to(ELSEWHERE, &mut writer) == Err(EINVAL));
        assert!(object.secret == 1);
        // The region only contains the bytes at the offset that the forged field claims.
        assert!(object.copy_to(NAME, &mut writer) == Err(EINVAL));
        drop(object);
        drop(cache);
        for field in [BEYOND, NOWHERE] {
            let cache = KmemCache::<Records>::with_usercopy(Options::new(), field);
            assert!(cache.err() == Some(EINVAL));
        }
        // If the whole object is in the region, the offset that a forged field claims has no
        // effect.
        let cache = KmemCache::<Records>::new(Options::new())?;
        let mut object = cache.alloc(record(), GFP_KERNEL)?;
        assert!(object.copy_to(ELSEWHERE, &mut writer) == Err(EINVAL));
        assert!(object.copy_from(NOWHERE, &mut reader) == Err(EFAULT));
        Ok(())
    }

    #[test]
    fn kmem_cache_new_invalid_sysfs_name() -> Result {
        let options = Options::new();
        assert!(KmemCache::<Dot>::new(options).err() == Some(EINVAL));
        assert!(KmemCache::<DotDot>::new(options).err() == Some(EINVAL));
        let (dots, odd) = (
            KmemCache::<Dots>::new(options)?,
            KmemCache::<Odd>::new(options)?,
        );
        assert!(*dots.alloc(1, GFP_KERNEL)? + *odd.alloc(2, GFP_KERNEL)? == 3);
        Ok(())
    }

    #[test]
    fn kmem_cache_new_object_too_large() -> Result {
        // The free pointer of a constructed object is located behind the object.
        let cache = ConstructedCache::<Largest>::new(Options::new());
        assert!(cache.map(drop) == Err(EINVAL));
        // This size leaves room for all metadata.
        KmemCache::<Larger>::new(Options::new()).map(drop)?;
        ConstructedCache::<Larger>::new(Options::new()).map(drop)?;
        // The result depends on the metadata that this kernel adds to an object. The failure is not
        // logged.
        let refused = [
            KmemCache::<Largest>::new(Options::new()).err(),
            KmemCache::<Aligneds>::new(Options::new()).err(),
        ];
        assert!(refused.iter().flatten().all(|error| *error == EINVAL));
        if cfg!(CONFIG_SLUB_DEBUG_ON) {
            assert!(refused == [Some(EINVAL); 2]);
        } else if !cfg!(CONFIG_SLUB_DEBUG) && !cfg!(CONFIG_KASAN) {
            assert!(refused == [None; 2]);
        }
        Ok(())
    }

    #[test]
    fn usercopy_whole_object_or_none() -> Result {
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
