// SPDX-License-Identifier: GPL-2.0

use kalloc::{
    alloc::kmalloc::MAX_SIZE,
    slab::{
        Construct,
        Field,
        Reset, //
    }, //
};
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

/// Functions for a field that return another one, or what is in no object.
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
/// A field that begins in the object's last byte.
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

/// As large as its alignment.
#[repr(align(0x200000))]
pub(crate) struct Aligned {
    _byte: u8,
}
/// An object whose size does not give its alignment where the allocator notes something beside it.
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

#[kunit_tests(kalloc_cache_options)]
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
    fn objects_are_aligned_as_their_type() -> Result {
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

    /// The kernel's region is the one that is asked for, as it notes itself.
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
    fn a_forged_field_is_not_copied() -> Result {
        let cache = KmemCache::<Records>::with_usercopy(Options::new(), FORGED)?;
        let mut object = cache.alloc(record(), GFP_KERNEL)?;
        let (mut reader, mut writer) = nowhere().reader_writer();
        assert!(object.copy_to(FORGED, &mut writer) == Err(EINVAL));
        assert!(object.copy_from(FORGED, &mut reader) == Err(EINVAL));
        assert!(object.copy_to(ELSEWHERE, &mut writer) == Err(EINVAL));
        assert!(object.secret == 1);
        // Of another field, only what was said to be the first one's is in the region.
        assert!(object.copy_to(NAME, &mut writer) == Err(EINVAL));
        drop(object);
        drop(cache);
        for field in [BEYOND, NOWHERE] {
            let cache = KmemCache::<Records>::with_usercopy(Options::new(), field);
            assert!(cache.err() == Some(EINVAL));
        }
        // With all of an object in the region, where a function says that a field is makes no difference.
        let cache = KmemCache::<Records>::new(Options::new())?;
        let mut object = cache.alloc(record(), GFP_KERNEL)?;
        assert!(object.copy_to(ELSEWHERE, &mut writer) == Err(EINVAL));
        assert!(object.copy_from(NOWHERE, &mut reader) == Err(EFAULT));
        Ok(())
    }

    #[test]
    fn names_that_sysfs_cannot_have_are_refused() -> Result {
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
    fn objects_must_fit_with_their_metadata() -> Result {
        // The pointer of a free object is behind what is constructed.
        let cache = ConstructedCache::<Largest>::new(Options::new());
        assert!(cache.map(drop) == Err(EINVAL));
        // There is room for any metadata.
        KmemCache::<Larger>::new(Options::new()).map(drop)?;
        ConstructedCache::<Larger>::new(Options::new()).map(drop)?;
        // What this kernel keeps with an object decides. It says nothing of it in its log.
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
