// SPDX-License-Identifier: GPL-2.0-only

//! The store, with the operations that user space can request.
//!
//! One lock protects the table, and is only held briefly. Values are read before it is taken, and
//! copied and freed after it is released.

use super::{
    table::{
        Node,
        Nodes,
        Table, //
    },
    value::Value, //
};
use kalloc::{
    fs::seq_file::SeqFile,
    slab::Options,
    sys::percpu::Counter, //
    KmemCache,
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
    uaccess::{
        UserSlice,
        UserSliceReader, //
    }, //
};

/// A key: 1 to 64 arbitrary bytes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The bytes, with zeroes behind the key. Keys of different lengths therefore differ in `len`
    /// at the latest.
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Key {
    const MAX: usize = 64;

    /// Reads a key from user space.
    pub(crate) fn read(from: UserSlice) -> Result<Self> {
        let mut from = from.reader();
        let mut bytes = [0; Self::MAX];
        // CAST: The length is at most 64; longer keys are rejected below.
        let len = from.len() as u8;
        if from.is_empty() || from.len() > Self::MAX {
            return Err(ERANGE);
        }
        from.read_slice(bytes.get_mut(..from.len()).ok_or(ERANGE)?)?;
        Ok(Key { bytes, len })
    }

    /// Returns the bytes of the key, without the zeroes behind it.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// The condition for setting a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The key may exist or not.
    Any,
    /// The key must not exist.
    Create,
    /// The key must exist.
    Replace,
}

/// The number of operations of each kind since the module was loaded. The counters are per-CPU, so
/// that tasks with different keys do not share a cache line.
struct Done {
    set: Counter,
    got: Counter,
    deleted: Counter,
    opened: Counter,
}

/// The store of keys and values.
#[pin_data]
pub(crate) struct Store {
    #[pin]
    table: Mutex<Table>,
    /// The bytes of the values that are being allocated.
    #[pin]
    coming: Mutex<u64>,
    cache: Arc<KmemCache<Nodes>>,
    done: Done,
}

impl Store {
    /// Creates an empty store.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let cache = KmemCache::new(Options::new().account())?;
        let cache = Arc::new(cache, GFP_KERNEL)?;
        let done = Done {
            set: Counter::new(GFP_KERNEL)?,
            got: Counter::new(GFP_KERNEL)?,
            deleted: Counter::new(GFP_KERNEL)?,
            opened: Counter::new(GFP_KERNEL)?,
        };
        Arc::pin_init(
            pin_init!(Store {
                table <- new_mutex!(Table::new()),
                coming <- new_mutex!(0),
                cache,
                done,
            }),
            GFP_KERNEL,
        )
    }

    /// Sets the value of `key` from user space.
    ///
    /// # Errors
    ///
    /// - [`EEXIST`], [`ENOENT`] if `mode` forbids the operation.
    /// - [`E2BIG`] if the value is too long.
    /// - [`ENOSPC`] if there are too many keys, or the values take too many bytes.
    /// - [`EFAULT`] if the user memory is not readable.
    /// - [`ENOMEM`] if there is not enough memory.
    pub(crate) fn set(&self, key: Key, from: &mut UserSliceReader, mode: Mode) -> Result {
        let value = Value::read(from, &self.coming)?;
        let node = self
            .cache
            .reserve_arc(GFP_KERNEL)?
            .write(Node { key, value });
        let mut table = self.table.lock();
        let replaced = table.put(node, mode);
        drop(table);
        replaced?;
        self.done.set.inc();
        Ok(())
    }

    /// Returns the value of `key`.
    ///
    /// # Errors
    ///
    /// [`ENOENT`] if the key does not exist.
    pub(crate) fn get(&self, key: &Key) -> Result<Value> {
        let value = self.table.lock().get(key).cloned().ok_or(ENOENT)?;
        self.done.got.inc();
        Ok(value)
    }

    /// Returns the value of `key`, like [`get`](Self::get), and counts it for an open file.
    ///
    /// # Errors
    ///
    /// [`ENOENT`] if the key does not exist.
    pub(crate) fn open(&self, key: &Key) -> Result<Value> {
        let value = self.table.lock().get(key).cloned().ok_or(ENOENT)?;
        self.done.opened.inc();
        Ok(value)
    }

    /// Deletes `key`.
    ///
    /// # Errors
    ///
    /// [`ENOENT`] if the key does not exist.
    pub(crate) fn delete(&self, key: &Key) -> Result {
        let mut table = self.table.lock();
        let removed = table.remove(key);
        drop(table);
        removed?;
        self.done.deleted.inc();
        Ok(())
    }

    /// Returns the place of the first key at or behind `place`.
    pub(crate) fn place_from(&self, place: usize) -> Option<usize> {
        self.table.lock().place_from(place)
    }

    /// Writes a line about the key at a place, if it has one.
    pub(crate) fn show(&self, place: usize, out: &mut SeqFile) {
        let table = self.table.lock();
        if let Some(Node { key, value }) = table.node(place) {
            out.print(fmt!("{} ", value.bytes().len()));
            out.word(key.bytes());
            out.write(b"\n");
        }
    }

    /// Writes the line of statistics.
    pub(crate) fn show_totals(&self, out: &mut SeqFile) {
        let keys = self.table.lock().len();
        let Done {
            set,
            got,
            deleted,
            opened,
        } = &self.done;
        out.print(fmt!(
            "# {keys} keys, set {} got {} deleted {} opened {}\n# length key\n",
            set.sum(),
            got.sum(),
            deleted.sum(),
            opened.sum()
        ));
    }
}
