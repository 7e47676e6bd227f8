// SPDX-License-Identifier: GPL-2.0

//! Measures kalloc against plain C and against the kernel crate.
//!
//! Nothing is measured on load. `/sys/kernel/debug/kalloc/bench` takes the name of a group of
//! scenarios, runs it, and then has its result:
//!
//! ```text
//! # cd /sys/kernel/debug/kalloc
//! # echo kmalloc > bench
//! # cat bench
//! ```

use kernel::{
    debugfs,
    new_mutex,
    prelude::*,
    sync::Mutex,
    uaccess::UserSliceReader, //
};
use state::State;

mod accounting;
mod aligned;
mod c;
mod cache;
mod case;
mod concurrent;
mod fixture;
mod held;
mod kmalloc;
mod live;
mod mapping;
mod measure;
mod pages;
mod percpu;
mod ring;
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

/// The module: a debugfs file that owns the state.
#[pin_data]
struct Bench {
    #[pin]
    file: debugfs::File<Mutex<State>>,
}

impl kernel::InPlaceModule for Bench {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            for sites in [accounting::SITES, aligned::SITES, cache::SITES] {
                kalloc::register(module, sites)?;
            }
            for sites in [concurrent::SITES, held::SITES, kmalloc::SITES] {
                kalloc::register(module, sites)?;
            }
            for sites in [mapping::SITES, pages::SITES, ring::SITES] {
                kalloc::register(module, sites)?;
            }
            for sites in [vec::SITES, vmalloc::SITES] {
                kalloc::register(module, sites)?;
            }
            let fixture = fixture::Fixture::new()?;
            let dir = kalloc::debugfs::dir().ok_or(ENODEV)?;
            Ok(try_pin_init!(Self {
                file <- dir.read_write_callback_file(
                    c"bench",
                    new_mutex!(State::new(fixture)),
                    &show,
                    &store,
                ),
            }? Error))
        })
    }
}

/// Reads the file.
fn show(state: &Mutex<State>, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
    state.lock().show(f)
}

/// Writes the file: the name of a group.
fn store(state: &Mutex<State>, input: &mut UserSliceReader) -> Result {
    state.lock().command(input)
}
