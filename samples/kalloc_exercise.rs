// SPDX-License-Identifier: GPL-2.0

//! Runs workloads through every wrapper of kalloc, on load and on demand.
//!
//! It uses nothing but the public API, and is meant to be read as an example of it.
//!
//! On load, the workloads chosen by the module's parameters run, and leave a few blocks live, so
//! that `/proc/kallocinfo` has something to show. More on demand:
//!
//! ```text
//! # cd /sys/kernel/debug/kalloc
//! # echo "cache count=10000 keep=3" > exercise
//! # cat exercise
//! ```

use exercise::{
    command::Plan,
    state::State,
    workload, //
};
use kernel::{
    debugfs,
    new_mutex,
    prelude::*,
    sync::Mutex,
    uaccess::UserSliceReader, //
};

mod exercise {
    pub(crate) mod command;
    pub(crate) mod state;
    pub(crate) mod workload;
}

module! {
    type: Exercise,
    name: "kalloc_exercise",
    authors: ["The kalloc authors"],
    description: "Exercises the kernel's memory allocators through kalloc",
    license: "GPL",
    params: {
        workloads: u32 {
            default: 0xffff_ffff,
            description: "Workloads to run on load, a bit for each in the order they are listed (default: all)",
        },
        count: u32 {
            default: 100,
            description: "Blocks that each workload allocates, 1 to 100000 (default: 100)",
        },
        size: u32 {
            default: 256,
            description: "Bytes of a block, where it is not given by a type, 1 to 4194304 (default: 256)",
        },
        keep: u32 {
            default: 4,
            description: "Blocks that each workload leaves live, 0 to 1000 (default: 4)",
        },
    },
}

/// The module: a debugfs file that owns the state.
#[pin_data]
struct Exercise {
    #[pin]
    file: debugfs::File<Mutex<State>>,
}

impl kernel::InPlaceModule for Exercise {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            kalloc::register(module, workload::SITES)?;
            let state = on_load()?;
            let dir = kalloc::debugfs::dir().ok_or(ENODEV)?;
            Ok(try_pin_init!(Self {
                file <- dir.read_write_callback_file(
                    c"exercise",
                    new_mutex!(state),
                    &show,
                    &store,
                ),
            }? Error))
        })
    }
}

/// Runs what the parameters ask for.
#[expect(clippy::clone_on_copy)] // Linux 7.2 has a reference to the parameter.
fn on_load() -> Result<State> {
    let plan = Plan::new(
        module_parameters::count.value().clone() as usize,
        module_parameters::size.value().clone() as usize,
        module_parameters::keep.value().clone() as usize,
    )
    .inspect_err(|_| pr_err!("parameter out of range, see modinfo kalloc_exercise\n"))?;
    let chosen = module_parameters::workloads.value().clone();

    let mut state = State::new()?;
    for (bit, workload) in workload::ALL.iter().enumerate() {
        if chosen >> bit & 1 != 0 {
            state.run(workload, &plan).inspect_err(|e| {
                pr_err!("workload {} failed: {:?}\n", workload.name, e);
            })?;
        }
    }
    Ok(state)
}

/// Reads the file.
fn show(state: &Mutex<State>, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
    state.lock().show(f)
}

/// Writes the file: one command.
fn store(state: &Mutex<State>, input: &mut UserSliceReader) -> Result {
    state.lock().command(input)
}
