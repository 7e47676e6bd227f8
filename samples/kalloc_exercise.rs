// SPDX-License-Identifier: GPL-2.0-only

//! Runs workloads through every wrapper of kalloc, on load and on demand.
//!
//! The module only uses kalloc's public API, and serves as an example of it.
//!
//! On load, the module runs the workloads that its parameters select. A few blocks stay live, so
//! that `/proc/kallocinfo` has something to show. Further workloads run on demand:
//!
//! ```text
//! # cd /sys/kernel/debug/kalloc
//! # echo "cache count=10000 keep=3" > exercise
//! # cat exercise
//! ```

use exercise::{
    command::Plan,
    state::{
        Report,
        Reports,
        State, //
    },
    workload::{
        self,
        Kept, //
    }, //
};
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
    error::code::ERESTARTSYS,
    prelude::*,
    sync::Arc, //
};

mod exercise {
    pub(crate) mod command;
    pub(crate) mod state;
    pub(crate) mod workload;
}
mod turns;

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
            description: "Bytes of a block, unless its type has a fixed size, 1 to 4194304 (default: 256)",
        },
        keep: u32 {
            default: 4,
            description: "Blocks that each workload leaves live, 0 to 1000 (default: 4)",
        },
    },
}

/// The module with its file in debugfs.
#[pin_data]
struct Exercise {
    #[pin]
    _file: DebugfsFile<File>,
}

impl kernel::InPlaceModule for Exercise {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            kalloc::register(module, workload::SITES)?;
            let (kept, reports) = on_load()?;
            let state = Arc::pin_init(State::new(kept, reports), GFP_KERNEL)?;
            Ok(try_pin_init!(Self {
                _file <- DebugfsFile::with_write(module, c"exercise", File(state)),
            }? Error))
        })
    }
}

/// The file, which shows the reports of the last command, and takes another one.
struct File(Arc<State>);

impl SeqOps for File {
    fn start(&self, pos: u64) -> Option<u64> {
        (pos == 0).then_some(pos)
    }

    fn show(&self, _pos: u64, out: &mut SeqFile) {
        // Writing to an output does not fail.
        let _ = self.0.show(out);
    }
}

impl WriteOps for File {
    /// Executes a command. A task that was only stopped restarts the command.
    fn write(&self, text: &[u8]) -> Result {
        let interrupted = |error| if error == EINTR { ERESTARTSYS } else { error };
        self.0.command(text).map_err(interrupted)
    }

    fn cancel(&self) {
        self.0.cancel();
    }
}

/// Runs the workloads that the parameters select. Returns the kept blocks and the reports.
#[expect(clippy::clone_on_copy)] // Linux 7.2 passes a reference to the parameter.
fn on_load() -> Result<(Kept, Reports)> {
    let plan = Plan::new(
        module_parameters::count.value().clone() as usize,
        module_parameters::size.value().clone() as usize,
        module_parameters::keep.value().clone() as usize,
    )
    .inspect_err(|_| pr_err!("parameter out of range, see modinfo kalloc_exercise\n"))?
    .starting_now();
    let chosen = module_parameters::workloads.value().clone();

    let (mut kept, mut reports) = (Kept::new()?, Reports::new());
    for (bit, workload) in workload::ALL.iter().enumerate() {
        if chosen >> bit & 1 != 0 {
            let report = Report::of(workload, &plan, &mut kept);
            report.result.inspect_err(|e| {
                pr_err!("workload {} failed: {:?}\n", workload.name, e);
            })?;
            reports.push(report, GFP_KERNEL)?;
        }
    }
    Ok((kept, reports))
}
