// SPDX-License-Identifier: GPL-2.0-only

//! Names, runs and checks attacks.

use crate::{
    files,
    pages,
    registry,
    slab, //
};
use kalloc::{
    fs::{
        debugfs::WriteOps,
        seq_file::{
            SeqFile,
            SeqOps, //
        }, //
    }, //
    Tag,
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// An attack: its name and its function.
pub(crate) type Attack = (&'static str, fn(&Attacker) -> Result);

/// The attacks of each area.
const AREAS: [&[Attack]; 4] = [
    files::ATTACKS,
    pages::ATTACKS,
    registry::ATTACKS,
    slab::ATTACKS,
];

/// The number of conditions that did not hold.
static FAILED: Atomic<i32> = Atomic::new(0);

/// Logs a condition that does not hold: the attack has succeeded.
pub(crate) fn got_through(line: u32, file: &str, condition: &str) {
    pr_err!("got through: {file}:{line}: {condition}\n");
    FAILED.fetch_add(1, Relaxed);
}

/// Judges an attack by a condition that must hold.
macro_rules! holds {
    ($condition:expr) => {
        if !$condition {
            $crate::attack::got_through(line!(), file!(), stringify!($condition));
        }
    };
}

/// A value that an attack keeps until `clear`.
trait Keep: Send + Sync {}
impl<T: Send + Sync> Keep for T {}

/// The state that attacks share.
#[pin_data]
pub(crate) struct Attacker {
    /// The module that contains the attacks.
    pub(crate) module: &'static ThisModule,
    #[pin]
    kept: Mutex<KVec<KBox<dyn Keep>>>,
}

impl Attacker {
    /// Returns an attacker without kept values.
    pub(crate) fn new(module: &'static ThisModule) -> impl PinInit<Self> {
        pin_init!(Attacker {
            module,
            kept <- new_mutex!(KVec::new()),
        })
    }

    /// Keeps `value` until `clear`, or until the module is unloaded.
    pub(crate) fn keep<T: Send + Sync + 'static>(&self, value: T) -> Result {
        let value: KBox<dyn Keep> = KBox::new(value, GFP_KERNEL)?;
        Ok(self.kept.lock().push(value, GFP_KERNEL)?)
    }

    /// Runs the attack of this name.
    fn run(&self, name: &[u8]) -> Result {
        if name == b"clear" {
            let kept = core::mem::take(&mut *self.kept.lock());
            drop(kept);
            return Ok(());
        }
        let mut attacks = AREAS.iter().copied().flatten();
        let (_, run) = attacks
            .find(|(known, _)| known.as_bytes() == name)
            .ok_or(ENOENT)?;
        FAILED.store(0, Relaxed);
        run(self)?;
        match FAILED.load(Relaxed) {
            0 => Ok(()),
            _ => Err(EPERM),
        }
    }
}

/// The file that lists the attacks, and runs each whose name is written to it.
pub(crate) struct File(pub(crate) Pin<KBox<Attacker>>);

impl SeqOps for File {
    fn start(&self, pos: u64) -> Option<u64> {
        (pos == 0).then_some(0)
    }

    fn show(&self, _pos: u64, out: &mut SeqFile) {
        for (name, _) in AREAS.iter().copied().flatten() {
            out.print(fmt!("{name}\n"));
        }
    }
}

impl WriteOps for File {
    fn write(&self, text: &[u8]) -> Result {
        self.0.run(text.trim_ascii())
    }
}

/// Returns the number of live blocks at a site.
pub(crate) fn live<S: Tag>() -> u64 {
    S::site().totals().live()
}

/// Sleeps for `ms` milliseconds.
pub(crate) fn sleep(ms: i64) {
    fsleep(Delta::from_millis(ms));
}
