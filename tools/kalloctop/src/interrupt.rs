// SPDX-License-Identifier: GPL-2.0-only

//! Signals that end the program, when it must clean up first.

use crate::error::Error;
use signal_hook::{
    consts::{
        SIGHUP,
        SIGINT,
        SIGQUIT,
        SIGTERM, //
    },
    flag::register_usize, //
};
use std::{
    io,
    sync::{
        atomic::{
            AtomicUsize,
            Ordering, //
        },
        Arc,
        OnceLock, //
    },
    thread,
    time::{
        Duration,
        Instant, //
    }, //
};

/// The signals that end programs.
pub(crate) const SIGNALS: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// The time after which a sleeping program notices a signal.
const TICK: Duration = Duration::from_millis(50);

/// The number of the last signal, or 0.
static LAST: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// Catches the signals from now on. Until then, they end the program.
pub(crate) fn catch() -> io::Result<()> {
    let last = LAST.get_or_init(Arc::default);
    for signal in SIGNALS {
        let number = usize::try_from(signal).unwrap_or(0);
        register_usize(signal, Arc::clone(last), number)?;
    }
    Ok(())
}

/// Fails if a signal has arrived.
pub(crate) fn check() -> Result<(), Error> {
    let last = LAST.get().map_or(0, |last| last.load(Ordering::SeqCst));
    match i32::try_from(last) {
        Ok(0) | Err(_) => Ok(()),
        Ok(signal) => Err(Error::Signal(signal)),
    }
}

/// Sleeps. Fails if a signal arrives.
pub(crate) fn sleep(time: Duration) -> Result<(), Error> {
    let end = Instant::now() + time;
    loop {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(TICK));
    }
}
