// SPDX-License-Identifier: GPL-2.0-only

//! Measures kalloc against plain C and against the kernel crate.
//!
//! Nothing is measured on load. Writing the name of a group of scenarios to
//! `/sys/kernel/debug/kalloc/bench` runs the group; reading the file shows the results:
//!
//! ```text
//! # cd /sys/kernel/debug/kalloc
//! # echo kmalloc > bench
//! # cat bench
//! ```

use kalloc::fs::{
    debugfs::{
        DebugfsFile,
        WriteOps, //
    },
    seq_file::{
        SeqFile,
        SeqOps, //
    }, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex, //
};
use state::State;

mod accounting;
mod aligned;
mod arc;
mod arena;
mod c;
mod cache;
mod case;
mod concurrent;
mod drops;
mod fixture;
mod held;
mod kmalloc;
mod live;
mod mapping;
mod measure;
mod pages;
mod percpu;
mod ring;
mod size;
mod state;
mod touch;
mod uncounted;
mod vec;
mod vmalloc;

module! {
    type: Bench,
    name: "kalloc_bench",
    authors: ["The kalloc authors"],
    description: "Measures kalloc against plain C and against the kernel crate",
    license: "GPL",
}

/// The module with its file in debugfs.
#[pin_data]
struct Bench {
    #[pin]
    _file: DebugfsFile<File>,
}

impl kernel::InPlaceModule for Bench {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            for sites in [accounting::SITES, aligned::SITES, cache::SITES] {
                kalloc::register(module, sites)?;
            }
            for sites in [concurrent::SITES, drops::SITES, held::SITES, kmalloc::SITES] {
                kalloc::register(module, sites)?;
            }
            for sites in [mapping::SITES, pages::SITES, ring::SITES] {
                kalloc::register(module, sites)?;
            }
            for sites in [arc::SITES, arena::SITES, vec::SITES, vmalloc::SITES] {
                kalloc::register(module, sites)?;
            }
            let fixture = fixture::Fixture::new()?;
            let state = KBox::pin_init(new_mutex!(State::new(fixture)), GFP_KERNEL)?;
            Ok(try_pin_init!(Self {
                _file <- DebugfsFile::with_write(module, c"bench", File(state)),
            }? Error))
        })
    }
}

/// The file, which runs a group and shows the results.
struct File(Pin<KBox<Mutex<State>>>);

impl SeqOps for File {
    fn start(&self, pos: u64) -> Option<u64> {
        (pos == 0).then_some(pos)
    }

    fn show(&self, _pos: u64, out: &mut SeqFile) {
        // Writing to an output does not fail.
        let _ = self.0.lock().show(out);
    }
}

impl WriteOps for File {
    fn write(&self, text: &[u8]) -> Result {
        self.0.lock().command(text)
    }
}
