// SPDX-License-Identifier: GPL-2.0-only

//! `/dev/kalloc_mmap_twice`: operations of a driver on a prepared mapping.
//!
//! One page is full of ones, another of twos. By the offset in pages, `mmap()`
//!
//! - 0 maps the ones, and meanwhile prepares a mapping of the twos, which must fail: reading the
//!   file returns the result;
//! - 1 maps the ones, and permits execution;
//! - 2 prepares the ones, discards them, and maps the twos;
//! - 3 prepares the ones, and fails.

#![deny(unsafe_code)]

use kalloc::{
    mm::mmap::{
        self,
        PageBytes, //
    }, //
    KBox,
};
use kernel::{
    fs::{
        File,
        Kiocb, //
    },
    iov::IovIterDest,
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    mm::virt::VmaNew,
    prelude::*,
    sync::{
        Arc,
        SetOnce, //
    }, //
};

module! {
    type: Twice,
    name: "kalloc_mmap_twice",
    authors: ["The kalloc authors"],
    description: "Maps twice into one area, for the tests of kalloc",
    license: "GPL",
}

kalloc::sites! {
    /// The block that is mapped.
    Ones: kmalloc(PageBytes), "twice_ones";
    /// The block that is not mapped.
    Twos: kmalloc(PageBytes), "twice_twos";
}

#[pin_data]
struct Twice {
    #[pin]
    _device: MiscDeviceRegistration<Both>,
}

impl kernel::InPlaceModule for Twice {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            kalloc::register(module, SITES)?;
            Ok(try_pin_init!(Self {
                _device <- MiscDeviceRegistration::register(MiscDeviceOptions {
                    name: c"kalloc_mmap_twice",
                }),
            }? Error))
        })
    }
}

/// An open file.
struct Both {
    ones: Arc<KBox<PageBytes, Ones>>,
    twos: Arc<KBox<PageBytes, Twos>>,
    told: SetOnce<&'static [u8]>,
}

#[vtable]
impl MiscDevice for Both {
    type Ptr = kernel::alloc::KBox<Self>;

    fn open(_file: &File, _device: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        let mut ones = KBox::<PageBytes, Ones>::zeroed(GFP_KERNEL)?;
        let mut twos = KBox::<PageBytes, Twos>::zeroed(GFP_KERNEL)?;
        ones.fill(1);
        twos.fill(2);
        let both = Both {
            ones: Arc::new(ones, GFP_KERNEL)?,
            twos: Arc::new(twos, GFP_KERNEL)?,
            told: SetOnce::new(),
        };
        Ok(kernel::alloc::KBox::new(both, GFP_KERNEL)?)
    }

    fn read_iter(mut kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
        let told = kiocb.file().told.copy().unwrap_or_default();
        iov.simple_read_from_buffer(kiocb.ki_pos_mut(), told)
    }

    fn mmap(both: &Self, _file: &File, vma: &VmaNew) -> Result {
        let page = mmap::first_page(vma);
        let ones = mmap::map(&both.ones, 0, vma)?;
        match page {
            0 => {
                let told: &[u8] = match mmap::map(&both.twos, 0, vma) {
                    Err(error) if error == EBUSY => b"busy\n",
                    Err(_) => b"another error\n",
                    Ok(_) => b"prepared\n",
                };
                both.told.populate(told);
                ones.finish()
            }
            1 => ones.executable().finish(),
            2 => {
                drop(ones);
                mmap::map(&both.twos, 0, vma)?.finish()
            }
            // The prepared mapping is discarded.
            _ => Err(ENOSPC),
        }
    }
}
