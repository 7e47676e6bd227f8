// SPDX-License-Identifier: GPL-2.0

//! The live display.

mod app;
mod detail;
mod draw;
mod events;
mod help;
mod keys;
mod table;
#[cfg(test)]
mod tests;

use crate::{
    cli::Options,
    error::Error,
    record::Recorder,
    source::Source,
    theme::Theme, //
};
use app::App;
use events::{
    Event,
    Events, //
};
use ratatui::{
    layout::{
        Position,
        Rect, //
    },
    DefaultTerminal, //
};
use signal_hook::{
    consts::SIGSTOP,
    low_level::{
        emulate_default_handler,
        raise, //
    }, //
};
use std::{
    io::{
        self,
        IsTerminal, //
    },
    mem::ManuallyDrop,
    time::Instant, //
};

/// Why it ended.
enum End {
    /// The person wanted it.
    Key,
    /// A signal came.
    Signal(i32),
}

/// Runs until a key or a signal ends it. The terminal is then as it was before.
pub(crate) fn run(options: &Options, source: Source) -> Result<(), Error> {
    if !io::stdout().is_terminal() {
        return Err(Error::NoTerminal);
    }
    // What cannot be read or written is said before the terminal is touched.
    let snapshot = source.read()?;
    let mut recorder = options.record.as_deref().map(Recorder::new).transpose()?;
    let theme = Theme::from_environment(options.ascii);
    let mut app = App::new(options, theme, source.name(), snapshot);

    let events = Events::start().map_err(Error::Terminal)?;
    let result = ratatui::try_init()
        .map_err(Error::Terminal)
        .and_then(|terminal| {
            // Dropped, it panics if the terminal has gone, for want of a place to say so.
            let mut terminal = ManuallyDrop::new(terminal);
            let end = show(&mut terminal, &mut app, &source, &events, recorder.as_mut());
            let cursor = terminal.show_cursor().map_err(Error::Terminal);
            end.and_then(|end| cursor.map(|()| end))
        });
    let restored = ratatui::try_restore().map_err(Error::Terminal);
    // A recording is of use however the session ended.
    if let Some(recorder) = recorder {
        recorder.finish()?;
    }
    match result? {
        // It ends by the signal, as whoever sent it expects.
        End::Signal(signal) => emulate_default_handler(signal).map_err(Error::Terminal),
        End::Key => restored,
    }
}

fn show(
    terminal: &mut DefaultTerminal,
    app: &mut App,
    source: &Source,
    events: &Events,
    mut recorder: Option<&mut Recorder>,
) -> Result<End, Error> {
    let mut next = Instant::now() + app.interval();
    loop {
        if app.takes_redraw() {
            // Not clear(): that asks the terminal for its cursor, and the answer would be taken for keys.
            let size = terminal.size().map_err(Error::Terminal)?;
            terminal
                .resize(Rect::from((Position::ORIGIN, size)))
                .map_err(Error::Terminal)?;
        }
        let done = terminal
            .draw(|frame| draw::all(frame, app))
            .map_err(Error::Terminal)?;
        if let Some(recorder) = &mut recorder {
            recorder.add(done.buffer);
        }
        match events.until(next) {
            Some(Event::Key(key)) => match app.press(key) {
                keys::Outcome::Stay => (),
                keys::Outcome::Quit => return Ok(End::Key),
                keys::Outcome::Suspend => suspend(terminal)?,
                keys::Outcome::Pace => next = Instant::now() + app.interval(),
            },
            Some(Event::Resized) => (),
            Some(Event::Signal(signal)) => return Ok(End::Signal(signal)),
            Some(Event::Lost(error)) => return Err(Error::Terminal(error)),
            None => {
                next = Instant::now() + app.interval();
                if !io::stdout().is_terminal() {
                    // It was hung up, and the signal that says so was ignored.
                    return Err(Error::Terminal(io::ErrorKind::BrokenPipe.into()));
                }
                if !app.paused() {
                    app.take(source.read());
                }
            }
        }
    }
}

/// Gives the terminal back and stops, as any program does on Ctrl-Z; goes on when it is continued.
fn suspend(terminal: &mut DefaultTerminal) -> Result<(), Error> {
    terminal
        .show_cursor()
        .and_then(|()| ratatui::try_restore())
        .and_then(|()| raise(SIGSTOP))
        .and_then(|()| ratatui::try_init())
        .map(|fresh| *terminal = fresh)
        .map_err(Error::Terminal)
}
