// SPDX-License-Identifier: GPL-2.0-only

//! Makes two threads add to one number without synchronization. KCSAN must report it, which shows
//! that it instruments Rust code.

use kernel::{
    prelude::*,
    sync::{
        Arc,
        Completion, //
    },
    workqueue, //
};

#[path = "../../../rust/testing/race.rs"]
mod race;

module! {
    type: Race,
    name: "kalloc_data_race",
    authors: ["The kalloc authors"],
    description: "A data race on purpose, for the tests of kalloc",
    license: "GPL",
}

/// KCSAN checks only one of some thousand accesses.
const ROUNDS: usize = 2_000_000;

static NUMBER: race::Racy = race::Racy::new();

struct Race;

impl kernel::Module for Race {
    fn init(_: &'static ThisModule) -> Result<Self> {
        let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let theirs = done.clone();
        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
            (0..ROUNDS).for_each(|_| NUMBER.add());
            theirs.complete_all();
        })?;
        (0..ROUNDS).for_each(|_| NUMBER.add());
        done.wait_for_completion();
        Ok(Race)
    }
}
