// SPDX-License-Identifier: GPL-2.0

//! `/dev/kalloc_twice`: maps two pages into one area, of which the second must be refused.
//!
//! The first is full of ones, the second of twos. Reading the file tells what became of the second.

#![deny(unsafe_code)]

use kalloc::{
    mmap::{
        self,
        Frame, //
    },
    KBox, //
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
    name: "kalloc_twice",
    authors: ["The kalloc authors"],
    description: "Maps twice into one area, for the tests of kalloc",
    license: "GPL",
}

kalloc::sites! {
    /// What is mapped.
    Ones: kmalloc(Frame), "twice_ones";
    /// What is not.
    Twos: kmalloc(Frame), "twice_twos";
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
                    name: c"kalloc_twice",
                }),
            }? Error))
        })
    }
}

/// An open file.
struct Both {
    ones: Arc<KBox<Frame, Ones>>,
    twos: Arc<KBox<Frame, Twos>>,
    told: SetOnce<&'static [u8]>,
}

#[vtable]
impl MiscDevice for Both {
    type Ptr = kernel::alloc::KBox<Self>;

    fn open(_file: &File, _device: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        let mut ones = KBox::<Frame, Ones>::zeroed(GFP_KERNEL)?;
        let mut twos = KBox::<Frame, Twos>::zeroed(GFP_KERNEL)?;
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
        mmap::map(&both.ones, 0, vma)?;
        // Nothing may fail any more: the area has its reference.
        let told: &[u8] = match mmap::map(&both.twos, 0, vma) {
            Err(error) if error == EBUSY => b"busy\n",
            Err(_) => b"another error\n",
            Ok(()) => b"mapped\n",
        };
        both.told.populate(told);
        Ok(())
    }
}
