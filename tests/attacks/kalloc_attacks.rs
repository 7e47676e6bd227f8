// SPDX-License-Identifier: GPL-2.0-only

//! Attacks on the kernel by safe code that uses kalloc.
//!
//! Each attack does what the documentation forbids or does not mention. It must end with an error
//! or with the right result, and must not cause a kernel message. `scripts/kalloc test attacks`
//! runs all of them, and `scripts/kalloc_dev/test/attacks.py` lists them. By hand:
//!
//! ```text
//! # modprobe kalloc_attacks
//! # echo forged_field > /sys/kernel/debug/kalloc/attacks
//! ```
//!
//! A successful attack logs the line of the condition that does not hold, and the write fails with
//! `EPERM`. Some attacks leave files or memory behind, which the command `clear` drops.

#![forbid(unsafe_code)]

use attack::{
    Attacker,
    File, //
};
use kalloc::fs::debugfs::DebugfsFile;
use kernel::prelude::*;

#[macro_use]
mod attack;
mod files;
mod pages;
mod registry;
mod slab;

module! {
    type: Attacks,
    name: "kalloc_attacks",
    authors: ["The kalloc authors"],
    description: "Attacks on the kernel by safe code that uses kalloc",
    license: "GPL",
    params: {
        fail: u32 {
            default: 0,
            description: "1: leave files behind, and fail to load",
        },
    },
}

/// The module: a file in debugfs that accepts the names of attacks.
#[pin_data]
struct Attacks {
    #[pin]
    _file: DebugfsFile<File>,
}

impl kernel::InPlaceModule for Attacks {
    #[expect(clippy::clone_on_copy)] // On Linux 7.2, this is a reference to the parameter.
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            for sites in [files::SITES, pages::SITES, registry::SITES, slab::SITES] {
                kalloc::register(module, sites)?;
            }
            if module_parameters::fail.value().clone() != 0 {
                files::lives::forgotten(module)?;
                return Err(EIO);
            }
            let attacker = KBox::pin_init(Attacker::new(module), GFP_KERNEL)?;
            Ok(try_pin_init!(Self {
                _file <- DebugfsFile::with_write(module, c"attacks", File(attacker)),
            }? Error))
        })
    }
}
