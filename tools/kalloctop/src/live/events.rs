// SPDX-License-Identifier: GPL-2.0-only

//! Events of the display: keys, signals, and a resized or closed terminal.

use crate::interrupt::SIGNALS;
use crossterm::event::{
    self,
    KeyEvent,
    KeyEventKind, //
};
use signal_hook::iterator::Signals;
use std::{
    io,
    sync::mpsc::{
        self,
        Receiver,
        Sender, //
    },
    thread,
    time::{
        Duration,
        Instant, //
    }, //
};

/// An event.
#[derive(Debug)]
pub(super) enum Event {
    /// The press of a key.
    Key(KeyEvent),
    /// A new size of the terminal.
    Resized,
    /// The arrival of a signal that ends programs.
    Signal(i32),
    /// An error of the terminal, after which no key can arrive.
    Lost(io::Error),
}

/// The queue of two threads that wait for events. The threads end with the program, because a wait
/// for keys cannot be interrupted.
#[derive(Debug)]
pub(super) struct Events {
    queue: Receiver<Event>,
}

impl Events {
    /// Starts the threads. From then on, the handled signals do not end the program by themselves.
    pub(super) fn start() -> io::Result<Self> {
        // This call installs the handler for new sizes. It precedes the first picture, so that the
        // program misses no change of the size.
        event::poll(Duration::ZERO)?;
        let (sender, queue) = mpsc::channel();
        let mut signals = Signals::new(SIGNALS)?;
        let to = sender.clone();
        thread::spawn(move || {
            signals
                .forever()
                .try_for_each(|it| to.send(Event::Signal(it)))
        });
        thread::spawn(move || keys(&sender));
        Ok(Self { queue })
    }

    /// Waits for the next event. Returns `None` if there is none before `time`.
    pub(super) fn until(&self, time: Instant) -> Option<Event> {
        let left = time.saturating_duration_since(Instant::now());
        self.queue.recv_timeout(left).ok()
    }
}

fn keys(to: &Sender<Event>) {
    loop {
        let event = match event::read() {
            Ok(event::Event::Key(key)) if key.kind != KeyEventKind::Release => Event::Key(key),
            Ok(event::Event::Resize(..)) => Event::Resized,
            Ok(_) => continue,
            Err(error) => Event::Lost(error),
        };
        let last = matches!(event, Event::Lost(_));
        if to.send(event).is_err() || last {
            return;
        }
    }
}
