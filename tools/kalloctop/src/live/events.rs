// SPDX-License-Identifier: GPL-2.0

//! What happens meanwhile: keys, signals, a terminal of another size or none any more.

use crossterm::event::{
    self,
    KeyEvent,
    KeyEventKind, //
};
use signal_hook::{
    consts::{
        SIGHUP,
        SIGINT,
        SIGQUIT,
        SIGTERM, //
    },
    iterator::Signals, //
};
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

/// Something that happened.
#[derive(Debug)]
pub(super) enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// The terminal has another size.
    Resized,
    /// A signal that ends programs came.
    Signal(i32),
    /// There are no keys to come any more.
    Lost(io::Error),
}

/// Two threads that wait for what happens. They end with the program: nothing else ends a wait for keys.
#[derive(Debug)]
pub(super) struct Events {
    queue: Receiver<Event>,
}

impl Events {
    /// Starts them. From now on signals do not end the program by themselves.
    pub(super) fn start() -> io::Result<Self> {
        // From here on a new size is heard of, too: before the first picture, so that none is missed.
        event::poll(Duration::ZERO)?;
        let (sender, queue) = mpsc::channel();
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
        let to = sender.clone();
        thread::spawn(move || {
            signals
                .forever()
                .try_for_each(|it| to.send(Event::Signal(it)))
        });
        thread::spawn(move || keys(&sender));
        Ok(Self { queue })
    }

    /// The next event before this time.
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
