// SPDX-License-Identifier: GPL-2.0

//! What a scenario writes to files, and reads back: blocks of pages that user space has filled.

use kalloc::{
    Order,
    PageArray,
    Pages, //
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
    sync::Mutex,
    uaccess::{
        UserSliceReader,
        UserSliceWriter, //
    }, //
};

kalloc::sites! {
    pub(crate) Written: pages, "kunit_user";
}

/// Bytes in a file.
const LEN: usize = 4 * PAGE_SIZE;

/// `block`: the last that was written, in a block of its own.
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

/// `array`: what was written where.
#[pin_data]
pub(crate) struct Array {
    #[pin]
    pages: Mutex<Option<PageArray<Written>>>,
}

impl Array {
    /// Where in the array something of `len` bytes is to be, and how many fit.
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
        let array = array.as_ref().ok_or(ENODATA)?;
        array.write_to(start, len, writer)?;
        *offset += len as file::Offset;
        Ok(len)
    }
}

/// The files, in `/sys/kernel/debug/kalloc_kunit/`.
#[pin_data]
pub(crate) struct Files {
    #[pin]
    block: File<Block>,
    #[pin]
    array: File<Array>,
    _dir: Dir,
}

impl Files {
    pub(crate) fn new() -> Result<Pin<KBox<Self>>> {
        let dir = Dir::new(c"kalloc_kunit");
        let files = try_pin_init!(Files {
            block <- dir.read_write_binary_file(
                c"block",
                try_pin_init!(Block { last <- new_mutex!(None) }),
            ),
            array <- dir.read_write_binary_file(
                c"array",
                try_pin_init!(Array { pages <- new_mutex!(None) }),
            ),
            _dir: dir.clone(),
        });
        KBox::pin_init(files, GFP_KERNEL)
    }
}
