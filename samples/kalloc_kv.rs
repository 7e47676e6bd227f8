// SPDX-License-Identifier: GPL-2.0-only

//! `/dev/kalloc_kv`: keys and values in memory, for programs that share them.
//!
//! The module is an example of a driver that uses kalloc. All its memory is counted at its own
//! sites, user space reads only what it is allowed to, and the code contains no `unsafe`.
//!
//! * Keys with their values are objects of a slab cache (`kv/table.rs`), the index is vmalloc
//!   memory, and values are pages (`kv/value.rs`).
//! * `ioctl()` sets, gets and deletes, with the structure in `kv/kalloc_kv.h`. It can also select
//!   the value that an open file shows through `read()` and `mmap()`.
//! * `/proc/kalloc_kv` lists the keys, with a line of statistics.
//!
//! A value never changes. A key may get a new value or be deleted; a program that is reading the
//! old value, or has mapped it, keeps that value unchanged. Documentation/reference/samples.rst describes
//! the guarantees for programs.

#![deny(unsafe_code)]

use kalloc::{
    fs::{
        procfs::{
            Mode, //
            ProcFile,
        },
        seq_file::{
            SeqFile,
            SeqOps, //
        }, //
    },
    sys::rcu_static::{
        RcuStatic,
        RcuStaticGuard, //
    }, //
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
use kv::{
    request::{
        self,
        check_access,
        Request, //
    },
    store::Store,
    table,
    value::{
        self,
        Value, //
    }, //
};

mod kv {
    pub(crate) mod request;
    pub(crate) mod store;
    pub(crate) mod table;
    pub(crate) mod value;
}

mod read;

module! {
    type: KvModule,
    name: "kalloc_kv",
    authors: ["The kalloc authors"],
    description: "Keys and values for programs that share them",
    license: "GPL",
}

/// The store, for `open`.
static STORE: RcuStatic<Store> = RcuStatic::new();

/// The module. The interfaces to user space are dropped first.
#[pin_data]
struct KvModule {
    #[pin]
    _device: MiscDeviceRegistration<Session>,
    #[pin]
    _listing: ProcFile<Listing>,
    _store: RcuStaticGuard<Store>,
}

impl kernel::InPlaceModule for KvModule {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            for sites in [table::SITES, value::SITES] {
                kalloc::register(module, sites)?;
            }
            let store = Store::new()?;
            let listing = Listing(store.clone());
            Ok(try_pin_init!(Self {
                // Fields are initialized in the order in which they are written here. The store is
                // published before any program can open the device.
                _store: STORE.publish(store)?,
                _listing <- ProcFile::new(module, c"kalloc_kv", Mode::OwnerRead, listing),
                _device <- MiscDeviceRegistration::register(MiscDeviceOptions {
                    name: c"kalloc_kv",
                }),
            }? Error))
        })
    }
}

/// An open file.
struct Session {
    store: Arc<Store>,
    /// The value that the file shows.
    value: SetOnce<Value>,
}

impl Session {
    fn value(&self) -> Result<&Value> {
        // `ENODATA`, from asm-generic/errno.h. Linux 7.2 has no name for it in Rust.
        self.value.as_ref().ok_or(Error::from_errno(-61))
    }
}

#[vtable]
impl MiscDevice for Session {
    type Ptr = KBox<Self>;

    fn open(_file: &File, _device: &MiscDeviceRegistration<Self>) -> Result<KBox<Self>> {
        let session = Session {
            store: STORE.get().ok_or(ENODEV)?,
            value: SetOnce::new(),
        };
        Ok(KBox::new(session, GFP_KERNEL_ACCOUNT)?)
    }

    fn ioctl(session: &Self, file: &File, command: u32, address: usize) -> Result<isize> {
        let store = &session.store;
        match command {
            request::SET => {
                check_access(file, true)?;
                let (key, mut from, mode) = Request::read(address)?.into_value()?;
                store.set(key, &mut from, mode)?;
                Ok(0)
            }
            request::GET => {
                check_access(file, false)?;
                let (key, mut room) = Request::read(address)?.into_room()?;
                let value = store.get(&key)?;
                let bytes = value.bytes();
                if !room.is_empty() {
                    if room.len() < bytes.len() {
                        return Err(ERANGE);
                    }
                    room.write_slice(bytes)?;
                }
                // CAST: A value has at most 64 KiB.
                Ok(bytes.len() as isize)
            }
            request::DELETE => {
                check_access(file, true)?;
                store.delete(&Request::read(address)?.into_key()?)?;
                Ok(0)
            }
            request::OPEN => {
                check_access(file, false)?;
                let value = store.open(&Request::read(address)?.into_key()?)?;
                if session.value.populate(value) {
                    Ok(0)
                } else {
                    Err(EBUSY)
                }
            }
            _ => Err(ENOTTY),
        }
    }

    fn read_iter(mut kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
        let session = kiocb.file();
        read::read(kiocb.ki_pos_mut(), iov, session.value()?.bytes())
    }

    fn mmap(session: &Self, _file: &File, vma: &VmaNew) -> Result {
        session.value()?.map(vma)?.finish()
    }
}

/// The file `/proc/kalloc_kv`: a line of statistics, and a line for each key.
struct Listing(Arc<Store>);

impl Listing {
    /// The position of the first line. The key at place `n` has position `n + 1`.
    const HEADER: u64 = 0;
}

impl SeqOps for Listing {
    fn start(&self, pos: u64) -> Option<u64> {
        if pos == Self::HEADER {
            return Some(pos);
        }
        // CAST: Both types have 64 bits.
        let place = self.0.place_from((pos - 1) as usize)?;
        Some(place as u64 + 1)
    }

    fn show(&self, pos: u64, out: &mut SeqFile) {
        if pos == Self::HEADER {
            self.0.show_totals(out);
        } else {
            self.0.show((pos - 1) as usize, out);
        }
    }
}
