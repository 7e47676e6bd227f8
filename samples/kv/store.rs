// SPDX-License-Identifier: GPL-2.0

//! The store: what user space sees of it, whoever asks.
//!
//! One lock protects the table. Nothing that can take long happens under it: values are read before
//! it is taken and copied after it is released, and what is replaced is freed then.

use super::{
    table::{
        Node,
        Nodes,
        Table, //
    },
    value::Value, //
};
use kalloc::{
    fs::seq_file::Output,
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

/// A key: 1 to 64 bytes, whatever they are.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// With zeroes behind the key, so that keys of different lengths differ in `len` at the latest.
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Key {
    const MAX: usize = 64;

    /// Reads a key from user space.
    pub(crate) fn read(from: UserSlice) -> Result<Self> {
        let mut from = from.reader();
        let mut bytes = [0; Self::MAX];
        // CAST: At most 64.
        let len = from.len() as u8;
        if from.is_empty() || from.len() > Self::MAX {
            return Err(ERANGE);
        }
        from.read_slice(bytes.get_mut(..from.len()).ok_or(ERANGE)?)?;
        Ok(Key { bytes, len })
    }

    /// The key's own bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// Whether a key that gets a value may be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It may.
    Any,
    /// It must not.
    Create,
    /// It must.
    Replace,
}

/// How often what was done, since the module was loaded: on each CPU, so that those who do not
/// even share a key do not share a cache line.
struct Done {
    set: Counter,
    got: Counter,
    deleted: Counter,
    opened: Counter,
}

/// The store.
#[pin_data]
pub(crate) struct Store {
    #[pin]
    table: Mutex<Table>,
    /// Bytes of the values that are being allocated.
    #[pin]
    coming: Mutex<u64>,
    cache: Arc<KmemCache<Nodes>>,
    done: Done,
}

impl Store {
    /// Makes an empty store.
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

    /// Gives `key` the value that is in user space.
    ///
    /// # Errors
    ///
    /// - [`EEXIST`], [`ENOENT`] if `mode` does not allow it.
    /// - [`E2BIG`] if the value is too long.
    /// - [`ENOSPC`] if there are too many keys, or values take too much.
    /// - [`EFAULT`], [`ENOMEM`].
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
    /// [`ENOENT`] if there is no such key.
    pub(crate) fn get(&self, key: &Key) -> Result<Value> {
        let value = self.table.lock().get(key).cloned().ok_or(ENOENT)?;
        self.done.got.inc();
        Ok(value)
    }

    /// As [`get`](Self::get), for an open file.
    ///
    /// # Errors
    ///
    /// [`ENOENT`] if there is no such key.
    pub(crate) fn open(&self, key: &Key) -> Result<Value> {
        let value = self.table.lock().get(key).cloned().ok_or(ENOENT)?;
        self.done.opened.inc();
        Ok(value)
    }

    /// Removes `key`.
    ///
    /// # Errors
    ///
    /// [`ENOENT`] if there is no such key.
    pub(crate) fn delete(&self, key: &Key) -> Result {
        let mut table = self.table.lock();
        let removed = table.remove(key);
        drop(table);
        removed?;
        self.done.deleted.inc();
        Ok(())
    }

    /// The place of the first key at or behind a place.
    pub(crate) fn place_from(&self, place: usize) -> Option<usize> {
        self.table.lock().place_from(place)
    }

    /// Writes a line about the key at a place, if there is one.
    pub(crate) fn show(&self, place: usize, out: &mut Output) {
        let table = self.table.lock();
        if let Some(Node { key, value }) = table.node(place) {
            out.print(fmt!("{} ", value.bytes().len()));
            out.word(key.bytes());
            out.write(b"\n");
        }
    }

    /// Writes a line about the whole.
    pub(crate) fn show_totals(&self, out: &mut Output) {
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
