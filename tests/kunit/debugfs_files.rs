// SPDX-License-Identifier: GPL-2.0-only

//! Files that a script in the guest writes and reads back: blocks of pages with contents from user
//! space, and a field of an object. One more file makes an object outlive the owner of its cache.

use kalloc::{
    slab::{
        ArcObject,
        Field,
        Options,
        RcuCache,
        TypesafeByRcu, //
    }, //
    KmemCache,
    Order,
    PageArray,
    Pages,
};
use kernel::{
    debugfs::{
        BinaryReader,
        BinaryWriter,
        Dir,
        File, //
    },
    fs::file,
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    uaccess::{
        UserSliceReader,
        UserSliceWriter, //
    }, //
};

kalloc::sites! {
    pub(crate) Written: pages, "kunit_user";
    pub(crate) Records: cache(Record), "kunit_user_record";
    pub(crate) Late: cache(TypesafeByRcu<(), u64>), "kunit_user_late";
}

/// The number of bytes of a file.
const LEN: usize = 4 * PAGE_SIZE;

/// `block`: the last write, in a block of its own.
#[pin_data]
pub(crate) struct Block {
    #[pin]
    last: Mutex<Option<Pages<Written>>>,
}

impl BinaryReader for Block {
    fn read_from_slice(
        &self,
        reader: &mut UserSliceReader,
        offset: &mut file::Offset,
    ) -> Result<usize> {
        if *offset != 0 {
            return Err(ENOSPC);
        }
        let len = reader.len();
        let order = Order::for_bytes(LEN)?;
        let block = Pages::<Written, _>::uninit(order, GFP_KERNEL)?;
        *self.last.lock() = Some(block.read_from(reader).map_err(|(_, error)| error)?);
        let copied = len - reader.len();
        *offset += copied as file::Offset;
        Ok(copied)
    }
}

impl BinaryWriter for Block {
    fn write_to_slice(
        &self,
        writer: &mut UserSliceWriter,
        offset: &mut file::Offset,
    ) -> Result<usize> {
        match &*self.last.lock() {
            Some(block) => writer.write_slice_file(block, offset),
            None => Ok(0),
        }
    }
}

/// `array`: an array of pages, written at the file's offset.
#[pin_data]
pub(crate) struct Array {
    #[pin]
    pages: Mutex<Option<PageArray<Written>>>,
}

impl Array {
    /// Returns the position in the array for `len` bytes at `offset`, and the number of bytes that
    /// fit.
    fn place(offset: file::Offset, len: usize) -> Result<(usize, usize)> {
        let start = usize::try_from(offset)?.min(LEN);
        Ok((start, len.min(LEN - start)))
    }
}

impl BinaryReader for Array {
    fn read_from_slice(
        &self,
        reader: &mut UserSliceReader,
        offset: &mut file::Offset,
    ) -> Result<usize> {
        let (start, len) = Array::place(*offset, reader.len())?;
        if len == 0 {
            return Err(ENOSPC);
        }
        let mut array = self.pages.lock();
        let mut pages = match array.take() {
            Some(pages) => pages,
            None => PageArray::zeroed(LEN / PAGE_SIZE, GFP_KERNEL)?,
        };
        let copied = pages.read_from(start, len, reader);
        *array = Some(pages);
        copied?;
        *offset += len as file::Offset;
        Ok(len)
    }
}

impl BinaryWriter for Array {
    fn write_to_slice(
        &self,
        writer: &mut UserSliceWriter,
        offset: &mut file::Offset,
    ) -> Result<usize> {
        let (start, len) = Array::place(*offset, writer.len())?;
        let array = self.pages.lock();
        let array = array.as_ref().ok_or(ENOENT)?;
        array.write_to(start, len, writer)?;
        *offset += len as file::Offset;
        Ok(len)
    }
}

/// An object with a name that user space reads and writes.
pub(crate) struct Record {
    secret: [u64; 5],
    name: [u8; 16],
}

const NAME: Field<Record, [u8; 16]> = kalloc::field!(Record, name);

/// The options that the script reads from the cache's directory in sysfs.
const OPTIONS: Options = Options::new().hwcache_align().reclaimable();

/// `name`: the name of an object.
#[pin_data]
pub(crate) struct Name {
    #[pin]
    record: Mutex<ArcObject<Records>>,
}

impl Name {
    fn new() -> Result<impl PinInit<Self>> {
        let cache = KmemCache::<Records>::with_usercopy(OPTIONS, NAME)?;
        let record = Arc::new(cache, GFP_KERNEL)?
            .reserve_arc(GFP_KERNEL)?
            .write(Record {
                secret: [u64::MAX; 5],
                name: [0; 16],
            });
        Ok(pin_init!(Name { record <- new_mutex!(record) }))
    }
}

impl BinaryReader for Name {
    fn read_from_slice(
        &self,
        reader: &mut UserSliceReader,
        offset: &mut file::Offset,
    ) -> Result<usize> {
        let mut record = self.record.lock();
        record.copy_from(NAME, reader)?;
        *offset += record.name.len() as file::Offset;
        let whole = record.secret == [u64::MAX; 5];
        whole.then_some(record.name.len()).ok_or(EIO)
    }
}

impl BinaryWriter for Name {
    fn write_to_slice(
        &self,
        writer: &mut UserSliceWriter,
        offset: &mut file::Offset,
    ) -> Result<usize> {
        if *offset != 0 {
            return Ok(0);
        }
        let record = self.record.lock();
        record.copy_to(NAME, writer)?;
        *offset += record.name.len() as file::Offset;
        Ok(record.name.len())
    }
}

/// `late`: on each write, an object outlives the owner of its cache for a while.
pub(crate) struct Outlive;

impl BinaryReader for Outlive {
    fn read_from_slice(
        &self,
        reader: &mut UserSliceReader,
        _offset: &mut file::Offset,
    ) -> Result<usize> {
        let cache = RcuCache::<Late>::new(Options::new())?;
        let object = cache.reserve(GFP_KERNEL)?.write(1);
        drop(cache);
        // The worker runs in this time and finds the object live.
        fsleep(Delta::from_millis(50));
        drop(object);
        Ok(reader.len())
    }
}

/// The files in `/sys/kernel/debug/kalloc_kunit/`.
#[pin_data]
pub(crate) struct Files {
    #[pin]
    block: File<Block>,
    #[pin]
    array: File<Array>,
    #[pin]
    name: File<Name>,
    #[pin]
    late: File<Outlive>,
    _dir: Dir,
}

impl Files {
    pub(crate) fn new() -> Result<Pin<KBox<Self>>> {
        let dir = Dir::new(c"kalloc_kunit");
        let name = Name::new()?;
        let files = try_pin_init!(Files {
            block <- dir.read_write_binary_file(
                c"block",
                try_pin_init!(Block { last <- new_mutex!(None) }),
            ),
            array <- dir.read_write_binary_file(
                c"array",
                try_pin_init!(Array { pages <- new_mutex!(None) }),
            ),
            name <- dir.read_write_binary_file(c"name", name),
            late <- dir.write_binary_file(c"late", Outlive),
            _dir: dir.clone(),
        });
        KBox::pin_init(files, GFP_KERNEL)
    }
}
